"""X3D in the sizes of its paper (arXiv:2004.04730)."""

import pytest
import torch
from mmaction.models.backbones.x3d import X3D
from mmaction.registry import MODELS
from mmengine.runner.checkpoint import load_state_dict
from torch.utils.flop_counter import FlopCounterMode

from mmatfr.models import ATFRX3D, X3DRounded

S = dict(gamma_w=1, gamma_b=2.25, gamma_d=2.2)
XL = dict(gamma_w=1.45, gamma_b=2.25, gamma_d=5, width_rounding='stage')
# options, stage widths, blocks, parameters with the head for 400 classes,
# clip (frames, crop), multiply-adds.
SIZES = dict(
    xs=(S, (24, 48, 96, 192), (3, 5, 11, 7), 3794322, (4, 160), 0.60e9),
    s=(S, (24, 48, 96, 192), (3, 5, 11, 7), 3794322, (13, 160), 1.96e9),
    m=(S, (24, 48, 96, 192), (3, 5, 11, 7), 3794322, (16, 224), 4.73e9),
    l=(
        dict(S, gamma_d=5),
        (24, 48, 96, 192),
        (5, 10, 25, 15),
        6153432,
        (16, 312),
        18.4e9,
    ),
    xl=(XL, (32, 72, 136, 280), (5, 10, 25, 15), 11095904, (16, 312), 35.8e9),
)


@pytest.mark.parametrize('size', SIZES)
def test_published_sizes(size):
    options, widths, blocks, num_parameters, clip, cost = SIZES[size]
    options = dict(width_rounding='stage') | options
    with torch.device('meta'):
        backbone = X3DRounded(**options)
        head = MODELS.build(
            dict(
                type='X3DHead', in_channels=backbone.feat_dim, num_classes=400
            )
        )
    stages = [backbone.get_submodule(name) for name in backbone.res_layers]
    assert backbone.conv1_s.conv.out_channels == widths[0]
    assert tuple(len(stage) for stage in stages) == blocks
    for stage, width in zip(stages, widths, strict=True):
        assert {block.outplanes for block in stage} == {width}
        assert {block.planes for block in stage} == {int(2.25 * width)}
    assert backbone.feat_dim == int(2.25 * widths[-1])
    assert (
        sum(
            parameter.numel()
            for module in (backbone, head)
            for parameter in module.parameters()
        )
        == num_parameters
    )
    frames, crop = clip
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        head(backbone(torch.empty(1, 3, frames, crop, crop, device='meta')))
    assert counter.get_total_flops() / 2 == pytest.approx(cost, rel=0.05)


@pytest.mark.parametrize('width_rounding', ['base', 'stage'])
@pytest.mark.parametrize('build', [X3DRounded, ATFRX3D])
def test_sizes_of_mmaction2_are_mmaction2s_bit_for_bit(build, width_rounding):
    def seeded(cls, **options):
        torch.manual_seed(0)
        backbone = cls(**S, zero_init_residual=False, **options)
        backbone.init_weights()
        backbone.eval()
        return backbone

    theirs, ours = seeded(X3D), seeded(build, width_rounding=width_rounding)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    clip = torch.rand(1, 3, 4, 64, 64)
    with torch.no_grad():
        assert ours(clip).equal(theirs(clip))


def test_base_rounding_is_mmaction2s_at_every_width():
    options = {key: XL[key] for key in ('gamma_w', 'gamma_b')}
    load_state_dict(
        X3DRounded(**options), X3D(**options).state_dict(), strict=True
    )


@pytest.mark.parametrize('num_stages', [2, 3])
def test_fewer_stages(num_stages):
    backbone = X3DRounded(
        **dict(XL, gamma_d=1),
        num_stages=num_stages,
        spatial_strides=(2,) * num_stages,
    )
    width = (32, 72, 136)[num_stages - 1]
    assert backbone.conv5.conv.in_channels == width
    assert backbone(torch.rand(1, 3, 2, 32, 32)).shape[1] == int(2.25 * width)


def test_sampling_in_xl():
    torch.manual_seed(0)
    backbone = ATFRX3D(
        **dict(XL, gamma_d=1), sgs=dict(stage=1), execution='packed'
    ).eval()
    assert backbone.sgs.in_channels == 32
    plain = X3DRounded(**dict(XL, gamma_d=1))
    assert [
        key for key in backbone.state_dict() if not key.startswith('sgs.')
    ] == list(plain.state_dict())
    clips = torch.randn(3, 3, 6, 32, 32)
    clips[1:, :, 2:] = clips[1:, :, 2:3]
    with torch.no_grad():
        packed = backbone(clips)
        alone = torch.cat([backbone(clip[None]) for clip in clips])
    assert packed.shape == (3, 630, 1, 1, 1)
    torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-5)


def test_unknown_rounding_is_named():
    with pytest.raises(ValueError, match=r"'foo'.*\['base', 'stage'\]"):
        ATFRX3D(width_rounding='foo')
