"""Tiny backbones of every kind, and runs of them."""

import copy

import torch
from mmaction.registry import MODELS

X3D_TINY = dict(type='X3D', gamma_w=0.34, gamma_b=2.25, gamma_d=0.6)
R18 = dict(
    type='ResNet3d',
    depth=18,
    pretrained=None,
    base_channels=8,
    conv1_kernel=(3, 5, 5),
    with_pool2=False,
)
R50_STRIDED = dict(
    type='ResNet3d',
    depth=50,
    pretrained=None,
    base_channels=8,
    stage_blocks=(1, 2, 2, 1),
    conv1_kernel=(5, 7, 7),
    temporal_strides=(1, 1, 2, 1),
    inflate=(1, (1, 0), (0, 1), 1),
)
NON_LOCAL = dict(
    sub_sample=True,
    use_scale=True,
    norm_cfg=dict(type='BN3d', requires_grad=True),
    mode='embedded_gaussian',
)
PATHWAY = dict(
    type='resnet3d',
    depth=18,
    pretrained=None,
    stage_blocks=(1, 1, 1, 1),
)


def slowfast(speed_ratio=4):
    """mmaction2 writes into the dicts of the pathways."""
    return dict(
        type='ResNet3dSlowFast',
        resample_rate=speed_ratio,
        speed_ratio=speed_ratio,
        channel_ratio=4,
        slow_pathway=dict(
            **PATHWAY,
            base_channels=16,
            lateral=True,
            conv1_kernel=(1, 5, 5),
            inflate=(0, 0, 1, 1),
        ),
        fast_pathway=dict(
            **PATHWAY,
            base_channels=4,
            lateral=False,
            conv1_kernel=(5, 5, 5),
        ),
    )


BASES = dict(
    x3d=X3D_TINY,
    r18=R18,
    r50_strided=R50_STRIDED,
    non_local=dict(
        R18,
        non_local=((0, 1), (1, 0), (0, 1), (0, 0)),
        non_local_cfg=NON_LOCAL,
    ),
    slowonly=dict(
        type='ResNet3dSlowOnly',
        depth=50,
        pretrained=None,
        base_channels=8,
        stage_blocks=(1, 1, 2, 1),
    ),
    r2plus1d=dict(
        type='ResNet2Plus1d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        base_channels=8,
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        conv_cfg=dict(type='Conv2plus1d'),
        norm_cfg=dict(type='BN3d', requires_grad=True, eps=1e-3),
        temporal_strides=(1, 2, 1, 1),
    ),
    csn=dict(
        type='ResNet3dCSN',
        depth=50,
        pretrained=None,
        pretrained2d=False,
        base_channels=8,
        stage_blocks=(1, 1, 1, 1),
        with_pool2=False,
        bottleneck_mode='ip',
    ),
    slowfast=slowfast(),
    tsm=dict(
        type='ResNetTSM',
        depth=18,
        num_segments=12,
        pretrained=None,
        pretrained2d=False,
        num_stages=4,
    ),
    tsm_block=dict(
        type='ResNetTSM',
        depth=50,
        num_segments=12,
        pretrained=None,
        pretrained2d=False,
        shift_place='block',
    ),
    tsm_non_local=dict(
        type='ResNetTSM',
        depth=50,
        num_segments=12,
        pretrained=None,
        pretrained2d=False,
        is_shift=False,
        non_local=((0, 0, 1), (0, 1, 0, 0), (0,) * 6, (0, 0, 0)),
        non_local_cfg=NON_LOCAL,
    ),
    mobilenet_tsm=dict(
        type='MobileNetV2TSM',
        num_segments=12,
        widen_factor=0.25,
        pretrained2d=False,
    ),
)

# Options for one block per stage, by backbone, for compilers.
ONE_BLOCK = dict(
    x3d=dict(gamma_d=0.1),
    **dict.fromkeys(
        ('r18', 'r2plus1d', 'csn'), dict(stage_blocks=(1, 1, 1, 1))
    ),
    slowfast={},
    tsm={},
    mobilenet_tsm={},
)

SGS_CHOICES = dict(
    default=dict(),
    stem=dict(stage=0, similarity='l2'),
    stage2=dict(stage=2),
    stage3=dict(stage=3),
    pre_activation=dict(stage=1, pre_activation=True),
    authors=dict(pre_activation=True, similarity='l2', kernel='linear'),
    time=dict(order='time', num_bins=6),
    path=dict(
        stage=0,
        similarity='path_squared',
        embedding='identity',
        grid=4,
        magnitude_grad=False,
    ),
)


def build(base, **options):
    torch.manual_seed(0)
    cfg = copy.deepcopy(BASES[base])
    if options:
        cfg['type'] = 'ATFR' + cfg['type']
    module = MODELS.build({**cfg, **options})
    randomize(module)
    return module


def randomize(module):
    """Randomizes normalisation layers, including zero-initialized ones."""
    generator = torch.manual_seed(1)
    for m in module.modules():
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
            m.weight.data.uniform_(0.5, 1.5, generator=generator)
            m.bias.data.uniform_(-0.2, 0.2, generator=generator)
            m.running_mean.uniform_(-0.1, 0.1, generator=generator)
            m.running_var.uniform_(0.5, 1.5, generator=generator)


def clips(num_clips=8, num_frames=12, size=40):
    """Clips of unequal activity; later ones are still for longer."""
    generator = torch.manual_seed(2)
    x = torch.randn(num_clips, 3, num_frames, size, size, generator=generator)
    x *= 1 + torch.arange(num_frames).view(1, 1, -1, 1, 1)
    for i in range(num_clips):
        still = i * num_frames // num_clips
        x[i, :, :still] = x[i, :, :1]
    return x


def run(backbone, x):
    """Outputs for (N, C, T, H, W), the frames of 2D backbones as (N, T, ...).

    Returns a list in any case.
    """
    flat = hasattr(backbone, 'num_segments')
    outputs = backbone_outputs(backbone, x)
    return [
        out.unflatten(0, (len(x), -1)).transpose(1, 2) if flat else out
        for out in outputs
    ]


def backbone_outputs(backbone, x):
    """Outputs as the backbone returns them."""
    flat = hasattr(backbone, 'num_segments')
    outputs = backbone(x.transpose(1, 2).flatten(0, 1) if flat else x)
    return outputs if isinstance(outputs, tuple) else [outputs]


def lengths_of(backbone):
    lengths = backbone.lengths
    return lengths if isinstance(lengths, dict) else {'': lengths}


def sgs_of(backbone):
    return [m.layer for m in backbone.pathways.values()]


def assert_all_close(actual, expected, tolerance=1e-5):
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=theirs.abs().max().item() * tolerance
        )


def assert_gradients_close(actual, expected, tolerance=1e-5):
    """Gradients that are 0 but for rounding may differ from each other."""
    assert len(actual) == len(expected)
    largest = max((grad.abs().max().item() for grad in expected), default=0)
    for ours, theirs in zip(actual, expected, strict=True):
        scale = max(theirs.abs().max().item(), 1e-3 * largest)
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=scale * tolerance
        )


def results_of(backbone):
    return [
        result
        for layer in sgs_of(backbone)
        for result in (layer.magnitude, layer.groups.lengths.float())
    ]
