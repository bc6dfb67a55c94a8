"""Options of backbones, and what has no ragged form."""

import pytest
import torch
from tiny_backbones import NON_LOCAL, assert_all_close, build, clips, run
from torch import nn

from mmatfr.models import ATFR, atfr


@pytest.mark.parametrize(
    'options,match',
    [
        (dict(sgs=dict(stage=9)), r'sgs.stage=9.*0 \(stem\) to 4'),
        (
            dict(sgs=dict(stage='layer1')),
            r"sgs.stage='layer1'.*0 \(stem\) to 4",
        ),
        (dict(sgs=dict(kernel='foo')), r"kernel='foo'.*\['delta', 'linear'\]"),
        (dict(sgs=dict(stage=0, pre_activation=True)), 'pre_activation=True'),
        (dict(readout='foo'), r"readout='foo'.*\['mean', 'frames'\]"),
        (dict(sgs=True), 'sgs=True must be a dict'),
        (dict(sgs=dict(stage=True)), 'sgs.stage=True'),
        (dict(sgs=dict(stages=2)), r'sgs.stages=2 .*is it sgs.stage\?'),
        (
            dict(sgs=dict(pre_activation='yes')),
            "sgs.pre_activation='yes' must be True or False",
        ),
        (
            dict(sgs=dict(), channels_last='yes'),
            "channels_last='yes' must be True or False",
        ),
    ],
)
@pytest.mark.parametrize('base', ['x3d', 'r18'])
def test_bad_options_are_named(base, options, match):
    with pytest.raises(ValueError, match=match):
        build(base, **options)


@pytest.mark.parametrize(
    'base,options,option',
    [
        ('r18', dict(sgs=dict(stage=4)), 'sgs.stage=4'),
        ('tsm', dict(sgs=dict(stage=4), readout='frames'), 'sgs.stage=4'),
        (
            'slowfast',
            dict(sgs=dict(slow_path=dict(stage=1), fast_path=dict(stage=4))),
            'sgs.fast_path.stage=4',
        ),
        ('r18', dict(sgs=dict(stage=2), out_indices=(0,)), 'sgs.stage=2'),
        ('r18', dict(sgs=dict(stage=1), out_indices=(0,)), 'sgs.stage=1'),
    ],
)
def test_sampling_that_saves_nothing_is_refused(base, options, option):
    match = f'{option} samples after the last .*SGSNeck'
    with pytest.raises(ValueError, match=match):
        build(base, **options)


def test_the_last_stage_can_be_followed_by_a_module():
    backbone = build('x3d', sgs=dict(stage=4), execution='packed').eval()
    x = clips(3)
    with torch.no_grad():
        alone = [torch.cat([backbone(clip[None]) for clip in x])]
        assert_all_close([backbone(x)], alone)


class FrameDifference(nn.Module):
    """Mixes frames and has no ragged form."""

    def forward(self, x):
        return x - x.roll(1, dims=2)


class OwnBackbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 3, padding=1)
        self.stage1 = nn.Sequential(nn.Conv3d(4, 8, 3, padding=1), nn.ReLU())
        self.stage2 = nn.Sequential(
            nn.BatchNorm3d(8), FrameDifference(), nn.Conv3d(8, 8, 1)
        )

    def forward(self, x):
        return self.stage2(self.stage1(self.stem(x))).relu()


OwnATFR = atfr(OwnBackbone, stages=['stem', 'stage1', 'stage2'])


def test_own_backbone_refuses_by_path_what_has_no_ragged_form():
    assert OwnATFR.__name__ == 'ATFROwnBackbone'
    assert issubclass(OwnATFR, (ATFR, OwnBackbone))
    with pytest.raises(ValueError) as error:
        OwnATFR(sgs=dict(stage=1))
    assert '`stage2.1` (FrameDifference)' in str(error.value)
    assert "execution='sequential'" in str(error.value)
    torch.manual_seed(0)
    backbone = OwnATFR(sgs=dict(stage=1), execution='sequential').eval()
    x = clips(3)
    with torch.no_grad():
        assert_all_close(
            [backbone(x)], [torch.cat([backbone(c[None]) for c in x])]
        )
    assert backbone(x).shape == (3, 8, 1, 40, 40)
    with pytest.raises(RuntimeError, match='norm_eval=True'):
        backbone.train()(x)
    with pytest.raises(
        ValueError, match='stage=2 samples after the last stage'
    ):
        OwnATFR(sgs=dict(stage=2))  # a function alone follows


class OwnFrames(nn.Module):
    """A backbone of 2D modules, which cannot know the length of a clip."""

    num_segments = 4

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.stage1 = FrameDifference()

    def forward(self, x):
        return self.stage1(self.stem(x))


def test_backbone_of_2d_modules_needs_ragged_forms_in_any_execution():
    for execution in ('packed', 'sequential'):
        with pytest.raises(ValueError) as error:
            atfr(OwnFrames, ['stem', 'stage1'])(
                sgs=dict(stage=0), execution=execution
            )
        assert '`stage1` (FrameDifference)' in str(error.value)
        assert "execution='sequential'" not in str(error.value)


@pytest.mark.parametrize('mode', ['gaussian', 'dot_product', 'concatenation'])
@pytest.mark.parametrize('sub_sample', [False, True])
def test_non_local_blocks_in_all_modes(mode, sub_sample):
    cfg = dict(NON_LOCAL, mode=mode, sub_sample=sub_sample)
    if mode == 'gaussian':
        cfg['reduction'] = 1  # as mmcv's own code needs it
    backbone = build('non_local', sgs=dict(), non_local_cfg=cfg).eval()
    x = clips(3)
    with torch.no_grad():
        backbone.execution = 'packed'
        packed = run(backbone, x)
        backbone.execution = 'sequential'
        assert_all_close(packed, run(backbone, x))
