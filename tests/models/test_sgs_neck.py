"""The neck, alone and in mmaction2's recognizers."""

import pytest
import torch
from mmaction.registry import MODELS

from mmatfr.models import SGSNeck
from mmatfr.sgs import equal_groups


def test_counts_every_group_once():
    torch.manual_seed(0)
    neck = SGSNeck(in_channels=4).eval()
    x = torch.rand(2, 4, 8, 3, 3)
    x[0, :, 1:] = x[0, :, 1:2]  # seven frames alike, and one that is not
    with torch.no_grad():  # the seven have magnitude 0
        neck.sgs.bn.running_mean[:] = neck.sgs.embed(x)[0, 1]
        mean, losses = neck(x)
    assert losses == {} and mean.shape == (2, 4, 1, 3, 3)
    assert neck.lengths[0] == 2
    torch.testing.assert_close(mean[0, :, 0], (x[0, :, 0] + x[0, :, 1]) / 2)
    with torch.no_grad():
        torch.testing.assert_close(neck(x[1:])[0], mean[1:])


def test_frames_of_all_views():
    neck = SGSNeck(in_channels=4, num_segments=8).eval()
    clips = torch.rand(6, 4, 8, 3, 3)
    expected = SGSNeck(in_channels=4).eval()
    expected.load_state_dict(neck.state_dict())
    expected = expected(clips)[0]
    # As Recognizer2D stacks three views of two videos, and as frames.
    views = clips.unflatten(0, (2, 3)).transpose(1, 2).flatten(2, 3)
    frames = clips.transpose(1, 2).flatten(0, 1)
    for x in (views, [views, views], frames):
        torch.testing.assert_close(neck(x)[0], expected)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r'out_indices=\(2, 3\)'):
        SGSNeck(4)(torch.rand(8, 4, 3, 3))
    with pytest.raises(ValueError, match=r'\(9, 4, 3, 3\).*num_segments=8'):
        SGSNeck(4, num_segments=8)(torch.rand(9, 4, 3, 3))
    with pytest.raises(ValueError, match='2 maps.*returns 1'):
        SGSNeck((4, 8))(torch.rand(1, 4, 8, 3, 3))
    with pytest.raises(ValueError, match="kernel='foo'"):
        SGSNeck(4, kernel='foo')


RESNET3D = dict(
    type='ResNet3d',
    depth=18,
    pretrained=None,
    base_channels=8,
    with_pool2=False,
)
TSM = dict(
    type='ResNetTSM',
    depth=18,
    num_segments=8,
    pretrained=None,
    pretrained2d=False,
    out_indices=(2, 3),
)
SLOWFAST = dict(
    type='ResNet3dSlowFast',
    resample_rate=4,
    speed_ratio=4,
    slow_pathway=dict(
        type='resnet3d',
        depth=18,
        pretrained=None,
        lateral=True,
        conv1_kernel=(1, 7, 7),
        inflate=(0, 0, 1, 1),
    ),
    fast_pathway=dict(
        type='resnet3d',
        depth=18,
        pretrained=None,
        lateral=False,
        base_channels=8,
        conv1_kernel=(5, 7, 7),
    ),
)
RECOGNIZERS = dict(
    resnet3d=dict(
        type='Recognizer3D',
        backbone=RESNET3D,
        neck=dict(type='SGSNeck', in_channels=64),
        cls_head=dict(type='I3DHead', in_channels=64, num_classes=5),
    ),
    slowfast=dict(
        type='Recognizer3D',
        backbone=SLOWFAST,
        neck=dict(type='SGSNeck', in_channels=(512, 64)),
        cls_head=dict(type='SlowFastHead', in_channels=576, num_classes=5),
    ),
    tsm=dict(
        type='Recognizer2D',
        backbone=TSM,
        neck=dict(type='SGSNeck', in_channels=512, num_segments=8),
        cls_head=dict(
            type='TSMHead', in_channels=512, num_classes=5, num_segments=1
        ),
    ),
)


@pytest.mark.parametrize('name', RECOGNIZERS)
def test_in_mmaction2s_recognizers(name):
    torch.manual_seed(0)
    model = MODELS.build(RECOGNIZERS[name])
    model.eval()
    flat = name == 'tsm'
    x = torch.rand(3, 1, 3, 8, 32, 32) * torch.rand(3, 1, 1, 8, 1, 1)
    x = x[:, 0].transpose(1, 2).contiguous() if flat else x
    with torch.no_grad():
        together = model(x, mode='tensor', stage='head')
        alone = [model(clip[None], mode='tensor', stage='head') for clip in x]
    if isinstance(together, tuple):
        together, alone = together[0], [out[0] for out in alone]
    assert together.shape == (3, 5)
    torch.testing.assert_close(
        together, torch.cat(alone), rtol=1e-5, atol=1e-6
    )
    layers = model.neck.sgs if name == 'slowfast' else [model.neck.sgs]
    for layer in layers:
        layer.binning = lambda m: equal_groups(m, m.shape[1])
    with torch.no_grad():
        # As many groups as frames: the pooled features of the backbone.
        features = model.extract_feat(x, stage='backbone')[0]
        pooled = model.extract_feat(x, stage='neck')[0]
    if name == 'slowfast':
        expected = [out.mean(dim=2, keepdim=True) for out in features]
    elif flat:
        expected = [features[-1].unflatten(0, (3, 8)).mean(dim=1)]
        pooled = [pooled]
    else:
        expected, pooled = [features.mean(dim=2, keepdim=True)], [pooled]
    for ours, theirs in zip(pooled, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    'options,match',
    [
        (dict(ordre='time'), r'SGSNeck.ordre=.*is it SGSNeck.order\?'),
        (dict(num_segments=True), 'num_segments=True'),
        (dict(in_channels=2.5), 'in_channels=2.5'),
    ],
)
def test_bad_options_are_named(options, match):
    with pytest.raises(ValueError, match=match):
        SGSNeck(**dict(dict(in_channels=4), **options))
