"""The network for one clip, compared with its recognizer."""

import pytest
import torch
from tiny_recognizers import (
    NUM_FRAMES,
    R18,
    SIZE,
    SLOWFAST,
    TASKS,
    TSM,
    X3D,
    build,
    make_config,
)
from torch import nn

import mmatfr
from mmatfr.deploy.modules import fit_short_clips
from mmatfr.deploy.network import ClipNetwork
from mmatfr.deploy.verification import choose_clips, run_reference

PATH = dict(
    similarity='path', grid=3, embedding='identity', magnitude_grad=False
)
LINEAR = dict(similarity='l2', kernel='linear', order='time')
NON_LOCAL = dict(
    sub_sample=True, mode='embedded_gaussian', norm_cfg=dict(type='BN3d')
)


def slow_and_fast(slow, fast, **options):
    sgs = dict(slow_path=slow, fast_path=fast)
    return dict(SLOWFAST, sgs=sgs, **options)


NETWORKS = dict(
    base=dict(X3D, sgs=None),
    paper=dict(X3D, sgs=dict(stage=1)),
    path=dict(
        X3D,
        sgs=dict(stage=0, num_bins=5, border=1, border_groups=True, **PATH),
    ),
    learned=dict(
        R18, sgs=dict(stage=1, **dict(PATH, similarity='learned_path'))
    ),
    contiguous=dict(X3D, sgs=dict(stage=2, contiguous=True, order='time')),
    authors=dict(R18, sgs=dict(stage=1, pre_activation=True, **LINEAR)),
    frames=dict(R18, readout='frames', sgs=dict(stage=2)),
    tasks=dict(R18, tasks=TASKS, readout='frames', sgs=dict(stage=1)),
    pool=dict(R18, with_pool2=True, sgs=dict(stage=0, **PATH)),
    slowonly=dict(
        R18,
        type='ATFRResNet3dSlowOnly',
        conv1_kernel=(1, 5, 5),
        inflate=(0, 0, 1, 1),
        sgs=dict(stage=1),
    ),
    r2plus1d=dict(
        R18,
        type='ATFRResNet2Plus1d',
        pretrained2d=False,
        with_pool2=False,
        inflate=(1, 1, 1, 1),
        conv_cfg=dict(type='Conv2plus1d'),
        norm_cfg=dict(type='BN3d'),
        sgs=dict(stage=1),
    ),
    csn=dict(
        R18,
        type='ATFRResNet3dCSN',
        depth=50,
        with_pool2=False,
        bottleneck_mode='ir',
        sgs=dict(stage=1, **PATH),
    ),
    tsm=dict(TSM, sgs=dict(stage=1, **PATH)),
    tsm_frames=dict(TSM, readout='frames', sgs=dict(stage=0)),
    tsm_non_local=dict(
        TSM,
        depth=50,
        non_local=((0, 0, 1), (0, 0, 0, 1), (0,) * 6, (0, 0, 0)),
        non_local_cfg=NON_LOCAL,
        sgs=dict(stage=0),
    ),
    mobilenet=dict(
        type='ATFRMobileNetV2TSM',
        num_segments=NUM_FRAMES,
        widen_factor=0.25,
        sgs=dict(stage=1),
    ),
    slowfast=slow_and_fast(dict(stage=1), dict(stage=1)),
    slowfast_slow=slow_and_fast(
        dict(stage=1), dict(stage=1), lateral_length='slow'
    ),
    slowfast_frames=slow_and_fast(
        dict(stage=1, **PATH),
        dict(stage=0, **PATH),
        lateral_length='frames',
    ),
    slowfast_linear=slow_and_fast(
        dict(stage=1, pre_activation=True, **LINEAR),
        dict(stage=1, pre_activation=True, **LINEAR),
        readout='frames',
    ),
    only_slow=slow_and_fast(dict(stage=2), None),
    only_fast=slow_and_fast(None, dict(stage=1)),
)


@pytest.mark.parametrize('name', NETWORKS)
def test_gives_scores_and_lengths_of_the_recognizer(name):
    cfg = make_config(NETWORKS[name])
    recognizer = build(cfg)
    network = ClipNetwork(recognizer, cfg.model, NUM_FRAMES).eval()
    clips = choose_clips(network, (SIZE, SIZE))
    seen = set()
    for clip in clips:
        expected = run_reference(recognizer, clip)
        with torch.no_grad():
            scores, *others = network(clip.frames, torch.tensor(clip.num_bins))
        lengths = others[0].tolist() if others else []
        assert lengths == expected.lengths
        # The linear kernel amplifies rounding, by 2 B in each pathway.
        tolerance = 1e-3 if name == 'slowfast_linear' else 1e-4
        torch.testing.assert_close(
            scores,
            torch.tensor(expected.scores),
            rtol=tolerance,
            atol=tolerance,
        )
        seen.add(tuple(lengths))
    if network.pathways:
        # From as few groups as the options allow to as many.
        for column, frames in zip(
            zip(*seen, strict=True), network.lengths, strict=True
        ):
            fewest = 3 if name == 'path' else 1
            assert set(column) == set(range(fewest, frames + 1))


def test_keeps_the_peak_that_training_has_seen():
    cfg = make_config(X3D, sgs=dict(stage=0, bin_range='data', **PATH))
    recognizer = build(cfg)
    recognizer.backbone.sgs.running_peak.fill_(4.0)
    network = ClipNetwork(recognizer, cfg.model, NUM_FRAMES).eval()
    clip = choose_clips(network, (SIZE, SIZE))[0]
    expected = run_reference(recognizer, clip)
    _, lengths, _ = network(clip.frames, torch.tensor(clip.num_bins))
    assert lengths.tolist() == expected.lengths
    recognizer.backbone.sgs.running_peak.fill_(400.0)
    assert run_reference(recognizer, clip).lengths != expected.lengths


@pytest.mark.parametrize(
    'change, reason',
    [
        (dict(backbone=dict(out_indices=(2, 3))), 'feature maps'),
        (dict(neck=dict(type='SGSNeck', in_channels=64)), 'SGSNeck'),
        (dict(type='MMRecognizer3D'), 'MMRecognizer3D'),
    ],
)
def test_refuses_what_it_has_no_form_for(change, reason):
    cfg = make_config(R18, sgs=dict(stage=1))
    if 'type' in change:
        recognizer = build(cfg)
        kind = type('MMRecognizer3D', (type(recognizer),), {})
        recognizer.__class__ = kind
    else:
        cfg.merge_from_dict(dict(model=change))
        recognizer = build(cfg)
    with pytest.raises(ValueError, match=reason):
        ClipNetwork(recognizer, cfg.model, NUM_FRAMES)


@pytest.mark.parametrize('sgs', [dict(), dict(sgs=None)])
def test_config_from_before_an_insertion_is_refused(sgs):
    cfg = make_config(dict(R18, **sgs))
    recognizer = mmatfr.insert(build(cfg), num_bins=4)
    with pytest.raises(ValueError, match='model.cfg is the config to give'):
        ClipNetwork(recognizer, cfg.model, NUM_FRAMES)
    ClipNetwork(recognizer, recognizer.cfg.model, NUM_FRAMES)


@pytest.mark.parametrize(
    'module, reason',
    [
        (nn.Conv3d(2, 2, (3, 1, 1)), 'stage.1 needs 3 frames'),
        (nn.AvgPool3d((2, 1, 1)), 'stage.1 averages over frames'),
        (nn.MaxPool3d((3, 1, 1), padding=(1, 0, 0)), 'stage.1 pads'),
    ],
)
def test_refuses_modules_that_one_frame_is_too_short_for(module, reason):
    stages = nn.ModuleDict(dict(stage=nn.Sequential(nn.ReLU(), module)))
    with pytest.raises(ValueError, match=reason):
        fit_short_clips(stages, 'stage')
    padded = nn.Conv3d(2, 2, (3, 1, 1), padding=(1, 0, 0))
    fit_short_clips(nn.ModuleDict(dict(stage=padded)), 'stage')
