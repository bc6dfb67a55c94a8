"""Presets in a network: the border is derived from the stem."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

from mmatfr.models import SGSNeck

PATH = dict(preset='path', stage=0, grid=2, num_bins=4)
SMALL = dict(pretrained=None, base_channels=8, stage_blocks=(1, 1, 1, 1))
RESNET3D = dict(type='ATFRResNet3d', depth=18, pretrained2d=False, **SMALL)
PATHWAY = dict(type='resnet3d', depth=18, **SMALL)


def build(**cfg):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    return MODELS.build(cfg).eval()


@pytest.mark.parametrize(
    'cfg,border',
    [
        (dict(RESNET3D, conv1_kernel=(1, 5, 5)), 0),
        (dict(RESNET3D, conv1_kernel=(3, 5, 5)), 1),
        (dict(RESNET3D, conv1_kernel=(5, 5, 5)), 2),
        (dict(RESNET3D, conv1_kernel=(5, 5, 5), conv1_stride_t=2), 1),
        (dict(RESNET3D, conv1_kernel=(7, 5, 5), pool1_stride_t=2), 2),
        (dict(type='ATFRX3D', gamma_w=0.34, gamma_d=0.5), 2),
        (dict(type='ATFRResNetTSM', depth=18, num_segments=16), 0),
    ],
)
def test_border_is_what_the_zeros_of_the_stem_reach(cfg, border):
    backbone = build(**cfg, sgs=PATH)
    (pathway,) = backbone.pathways.values()
    layer = pathway.layer
    assert layer.border == layer.binning.ends == border
    # A clip of equal frames: what differs behind the stem has seen zeros.
    inputs = []
    layer.register_forward_pre_hook(lambda _, args: inputs.append(*args))
    frame = torch.rand(3, 1, 32, 32)
    clip = frame.expand(3, 16, 32, 32)
    clip = clip.transpose(0, 1) if 'TSM' in cfg['type'] else clip[None]
    with torch.no_grad():
        backbone(clip)
    x = inputs[0]
    off = (x - x[:, :, x.shape[2] // 2, None]).abs().amax(dim=(0, 1, 3, 4))
    assert (off[: border + 1] > 1e-5).tolist() == [True] * border + [False]
    # And so does a still clip have the groups of the border and one more.
    assert backbone.lengths.tolist() == [2 * border + 1]


@pytest.mark.parametrize('num_frames', [1, 2, 3, 4])
def test_clips_shorter_than_the_border(num_frames):
    x3d = dict(type='ATFRX3D', gamma_w=0.34, gamma_d=0.5)
    backbone = build(**x3d, sgs=PATH)
    assert backbone.sgs.border == 2
    clips = torch.rand(2, 3, num_frames, 32, 32)
    with torch.no_grad():
        maps = backbone(clips)
        assert maps.isfinite().all()
        assert (backbone.lengths <= num_frames).all()
        if num_frames == 1:
            torch.testing.assert_close(maps, build(**x3d)(clips))


def test_pathways_have_the_borders_of_their_own_stems():
    slow, fast = (
        dict(PATHWAY, lateral=lateral, conv1_kernel=kernel)
        for lateral, kernel in ((True, (3, 3, 3)), (False, (5, 3, 3)))
    )
    backbone = build(
        type='ATFRResNet3dSlowFast',
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=4,
        pretrained=None,
        slow_pathway=slow,
        fast_pathway=dict(fast, base_channels=2),
        sgs=PATH,
    )
    borders = {
        name: path.layer.border for name, path in backbone.pathways.items()
    }
    assert borders == dict(slow_path=1, fast_path=2)


def test_a_number_takes_the_place_of_the_stem():
    cfg = dict(RESNET3D, conv1_kernel=(3, 5, 5))
    layer = build(**cfg, sgs=dict(PATH, border=0)).sgs
    assert layer.border == 0 and layer.binning.ends == 0
    layer = build(**cfg, sgs=dict(PATH, border_groups=False)).sgs
    assert layer.border == 1 and layer.binning.ends == 0


def test_neck_takes_presets():
    neck = SGSNeck(in_channels=(4, 2), preset='path', grid=2)
    assert [layer.grid for layer in neck.sgs] == [2, 2]
    with pytest.raises(ValueError, match="preset='x'.*'paper', 'authors'"):
        SGSNeck(in_channels=4, preset='x')


def test_an_unknown_preset_is_named_where_the_backbone_is_built():
    with pytest.raises(ValueError, match="preset='x'.*'paper', 'authors'"):
        build(**RESNET3D, sgs=dict(preset='x'))
