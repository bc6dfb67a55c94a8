"""Weights of the authors' repository give their features."""

import numpy as np
import torch
from authors_networks import build, reference, slowfast_weights
from mmengine.runner.checkpoint import load_state_dict

from mmatfr.models.pyslowfast import convert_pyslowfast

AUTHORS = dict(similarity='l2', kernel='linear')
# By default mmaction2's networks have the authors' stride (on the 3x3
# convolution of a block and on its shortcut), padding of the stem's pool (1)
# and epsilon of BN (1e-5). What needs an option: no pool after the first stage
# (with_pool2=False; SlowFast of mmaction2 never runs it), and bottlenecks in a
# network of 2 blocks a stage (depth=50 and stage_blocks).
BOTTLENECKS = dict(depth=50, stage_blocks=(2, 2, 2, 2), pretrained=None)
RESNET3D = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ATFRResNet3d',
        base_channels=4,
        conv1_kernel=(5, 7, 7),
        inflate=(1, 0, 0, 1),
        with_pool2=False,
        sgs=dict(pre_activation=True, **AUTHORS),
        **BOTTLENECKS,
    ),
    cls_head=dict(type='I3DHead', num_classes=5, in_channels=128),
)
SLOWFAST = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ATFRResNet3dSlowFast',
        sgs=dict(pre_activation=True, **AUTHORS),
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=4,
        slow_pathway=dict(
            type='resnet3d',
            base_channels=8,
            conv1_kernel=(1, 7, 7),
            inflate=(0, 0, 1, 1),
            lateral=True,
            # mmaction2's own configs have fusion without BN and ReLU.
            lateral_norm=True,
            fusion_kernel=7,
            **BOTTLENECKS,
        ),
        fast_pathway=dict(
            type='resnet3d',
            base_channels=2,
            conv1_kernel=(5, 7, 7),
            lateral=False,
            **BOTTLENECKS,
        ),
    ),
    cls_head=dict(type='SlowFastHead', num_classes=5, in_channels=320),
)


def check(actual, expected, atol):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


def test_resnet3d_gives_the_authors_features_and_logits():
    arrays, weights = reference('resnet3d')
    model = build(RESNET3D)
    load_state_dict(model, convert_pyslowfast(weights), strict=True)
    backbone, features = model.backbone, {}
    for stage, layer in dict(s2='layer1', s5='layer4').items():
        backbone.get_submodule(layer).register_forward_hook(
            lambda module, args, out, stage=stage: features.update(
                {stage: out}
            )
        )
    with torch.no_grad():
        logits = model.cls_head(backbone(arrays['input.clip']))
    assert backbone.lengths.tolist() == [10]
    check(features['s2'], arrays['feat.s2.clip'], atol=1e-3)
    check(features['s5'], arrays['feat.s5.clip'], atol=1e-3)
    check(logits, arrays['logits'], atol=1e-4)


def test_slowfast_loads_strictly():
    weights = convert_pyslowfast(slowfast_weights()[1])
    load_state_dict(build(SLOWFAST), weights, strict=True)


def test_slowfast_gives_the_authors_features_as_far_as_weights_are_stored():
    arrays, weights = slowfast_weights()
    model = build(SLOWFAST)
    load_state_dict(model, convert_pyslowfast(weights), strict=True)
    backbone, features = model.backbone, {}
    # Not the frames that mmaction2 takes, every 4th.
    slow = arrays['input.fast'][:, :, np.linspace(0, 31, 8).astype(int)]
    backbone.slow_path.conv1.register_forward_pre_hook(lambda *args: (slow,))
    for path in ('slow', 'fast'):
        layer = backbone.get_submodule(f'{path}_path.layer1')
        layer.register_forward_hook(
            lambda module, args, out, path=path: features.update({path: out})
        )
    backbone.slow_path.layer2.register_forward_pre_hook(
        lambda module, args: features.update(fuse=args[0])
    )
    with torch.no_grad():
        backbone(arrays['input.fast'])
        logits = model.cls_head(
            (arrays['feat.s5.slow'], arrays['feat.s5.fast'])
        )
    assert backbone.lengths['slow_path'].tolist() == [7]
    assert backbone.lengths['fast_path'].tolist() == [19]
    check(features['slow'], arrays['feat.s2.slow'], atol=1e-3)
    check(features['fast'], arrays['feat.s2.fast'], atol=1e-3)
    # The lateral map of 5 frames is padded to the 7 of the slow pathway.
    slow, lateral = features['fuse'].split((32, 16), dim=1)
    check(slow, arrays['feat.s2.slow'], atol=1e-3)
    check(lateral, arrays['feat.s2_fuse.lateral'], atol=1e-3)
    check(logits, arrays['logits'], atol=1e-4)
