import pytest
import torch
from mmaction.registry import MODELS
from torch.utils.flop_counter import FlopCounterMode

from mmatfr.analysis import ClipRecorder, CostModel

SHAPE = (3, 12, 32, 32)
X3D = dict(gamma_w=0.34, gamma_b=2.25, gamma_d=0.6)
R18 = dict(
    depth=18,
    pretrained=None,
    base_channels=8,
    with_pool2=True,
    temporal_strides=(1, 1, 2, 1),
)


def recognizer(kind, execution='auto', **backbone):
    torch.manual_seed(0)
    x3d = kind.endswith('X3D')
    return MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(
                type=kind,
                **(X3D if x3d else R18),
                **backbone,
                **(dict(execution=execution) if kind[:4] == 'ATFR' else {}),
            ),
            cls_head=dict(
                type='X3DHead' if x3d else 'I3DHead',
                in_channels=144 if x3d else 64,
                num_classes=5,
            ),
        )
    ).eval()


def count(model, clip):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(clip[None, None], mode='tensor', stage='head')
    return counter.get_total_flops() / 2e9


@pytest.mark.parametrize('stage', [0, 1, 3])
@pytest.mark.parametrize('kind', ['ATFRX3D', 'ATFRResNet3d'])
def test_cost_is_what_the_counter_counts_on_the_clip_alone(kind, stage):
    model = recognizer(
        kind, 'sequential', sgs=dict(stage=stage, similarity='l2')
    )
    cost = CostModel(model)
    seen = set()
    for seed in range(20):
        generator = torch.manual_seed(seed)
        clip = torch.randn(SHAPE, generator=generator)
        clip[:, seed % 12 :] = clip[:, -1:]
        counted = count(model, clip)
        length = int(model.backbone.lengths)
        assert cost.gflops(SHAPE, length) == pytest.approx(counted, rel=1e-9)
        seen.add(length)
    assert len(seen) > 1


@pytest.mark.parametrize('kind', ['X3D', 'ResNet3d'])
def test_base_has_one_cost_and_sampling_adds_little_at_full_length(kind):
    base = CostModel(recognizer(kind))
    static = count(recognizer(kind), torch.rand(SHAPE))
    assert base.gflops(SHAPE, 3) == base.gflops(SHAPE, 12) == static
    ours = CostModel(recognizer('ATFR' + kind, sgs=dict(stage=1)))
    costs = [ours.gflops(SHAPE, n) for n in range(1, 13)]
    assert costs == sorted(costs) and costs[0] < 0.9 * static
    assert static < costs[-1] < 1.001 * static


def test_model_is_left_alone():
    model = recognizer('ATFRX3D', sgs=dict())
    binning = model.backbone.sgs.binning
    CostModel(model).gflops(SHAPE, 4)
    assert model.backbone.sgs.binning is binning
    assert next(model.parameters()).device.type == 'cpu'
    assert model.backbone.execution == 'auto'


def test_recorder_sees_every_clip_once():
    model = recognizer('ATFRX3D', sgs=dict())
    clips = torch.randn(5, 1, *SHAPE)
    with ClipRecorder(model) as recorder, torch.no_grad():
        model(clips[:3], mode='tensor')
        first = model.backbone.lengths
        model(clips[3:], mode='tensor')
        records = recorder.take()
        assert len(recorder.take().lengths) == 0
    assert records.lengths[:3].equal(first)
    assert records.num_frames == 12 and records.gflops.shape == (5,)
    model(clips, mode='tensor')
    assert len(recorder.take().lengths) == 0
