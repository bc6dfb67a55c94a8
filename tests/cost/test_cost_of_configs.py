"""The cost model against the counter: two hundred clips, every recognizer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mmatfr.apis import build_recognizer, frames_of, load_config
from mmatfr.cost import CostModel
from mmatfr.sgs import force_lengths

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(
    ROOT.glob('configs/recognition/*/*-atfr-path_*_tempo-small-rgb.py')
)
SHAPE = (3, 16, 32, 32)
CLIPS = 200
NON_LOCAL = dict(
    non_local=((1,), (0,), (1,), (0,)),
    non_local_cfg=dict(
        sub_sample=True,
        use_scale=True,
        norm_cfg=dict(type='BN3d', requires_grad=True),
        mode='embedded_gaussian',
    ),
)


def model_of(config, kind):
    model = load_config(str(config)).model
    if kind == 'non_local':
        model.backbone.update(NON_LOCAL)
    elif kind == 'neck':
        model.backbone.type = model.backbone.type.removeprefix('ATFR')
        del model.backbone['sgs']
        channels = model.cls_head.in_channels
        model.neck = dict(type='SGSNeck', in_channels=channels)
    return build_recognizer(model)


def cases():
    kinds = [(config, 'plain') for config in CONFIGS]
    (resnet,) = (c for c in CONFIGS if c.stem.startswith('resnet3d'))
    kinds += [(resnet, 'non_local'), (resnet, 'neck')]
    return [
        pytest.param(config, kind, id=f'{config.stem.split("_1xb")[0]}-{kind}')
        for config, kind in kinds
    ]


@pytest.mark.parametrize('config,kind', cases())
def test_random_clips(config, kind):
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = model_of(config, kind)
    cost = CostModel(model)
    num_frames = cost.num_frames(SHAPE)
    seen = set()
    for number in range(-(-CLIPS // len(cases()))):
        lengths = tuple(int(random.integers(1, n + 1)) for n in num_frames)
        seen.add(lengths)
        if hasattr(model.backbone, 'execution'):
            model.backbone.execution = ('packed', 'sequential')[number % 2]
        views = torch.randn(1, 1, *SHAPE)
        if frames_of(model) is not None:
            views = views[0].transpose(1, 2)
        with (
            force_lengths(model, [lengths]),
            torch.no_grad(),
            FlopCounterMode(display=False) as counter,
        ):
            model(views, mode='tensor', stage='head')
        counted = counter.get_total_flops() / 2e9
        assert cost.gflops(SHAPE, lengths) == pytest.approx(counted, rel=1e-3)
    assert len(seen) > 5
