from threading import Thread

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmatfr.cost import ClipRecorder, CostModel
from mmatfr.sgs import SGS, force_lengths, sgs_layers

SHAPE = (3, 12, 32, 32)
X3D = dict(gamma_w=0.34, gamma_b=2.25, gamma_d=0.6)
R18 = dict(
    depth=18,
    pretrained=None,
    base_channels=8,
    with_pool2=True,
    temporal_strides=(1, 1, 2, 1),
)
NON_LOCAL = dict(non_local=((0, 0), (0, 0), (0, 1), (0, 0)))
# Base and its arguments, head, and arguments of the adaptive backbone.
BACKBONES = {
    'x3d-stem': ('X3D', X3D, 'X3DHead', 144, dict(stage=0)),
    'x3d': ('X3D', X3D, 'X3DHead', 144, dict(stage=1)),
    'x3d-last': ('X3D', X3D, 'X3DHead', 144, dict(stage=4)),
    'r18': ('ResNet3d', R18, 'I3DHead', 64, dict(stage=1)),
    'r18-before-relu': (
        'ResNet3d',
        R18,
        'I3DHead',
        64,
        dict(stage=2, pre_activation=True),
    ),
}


class Path(nn.Module):
    """A convolution, sampling, and another convolution."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv3d(3, channels, 3, padding=1)
        self.sgs = SGS(channels, similarity='l2')
        self.layer1 = nn.Conv3d(channels, channels, 1)

    def forward(self, x):
        maps, lengths = self.sgs(self.conv1(x))
        clips = self.layer1(maps)[0].split(lengths.tolist(), dim=1)
        return torch.stack([clip.mean(1, keepdim=True) for clip in clips])


@MODELS.register_module()
class TwoPaths(nn.Module):
    """Two pathways, with 4 and 12 frames, each with its layer."""

    def __init__(self):
        super().__init__()
        self.slow_path, self.fast_path = Path(8), Path(4)

    def init_weights(self):
        pass

    def forward(self, x):
        return torch.cat([self.slow_path(x[:, :, ::3]), self.fast_path(x)], 1)


@MODELS.register_module()
class Frames(nn.Module):
    """A 2D backbone that returns the map of its group for every frame."""

    num_segments = 6

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.sgs = SGS(8, similarity='l2')
        self.layer1 = nn.Conv2d(8, 8, 1)

    def init_weights(self):
        pass

    def forward(self, x):
        x = self.conv1(x).unflatten(0, (-1, self.num_segments))
        maps, _ = self.sgs(x.transpose(1, 2))
        maps = self.layer1(maps[0].transpose(0, 1))
        return maps[self.sgs.groups.index.flatten()]


def build(backbone, head, in_channels, kind='Recognizer3D'):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type=kind,
            backbone=backbone,
            cls_head=dict(type=head, in_channels=in_channels, num_classes=5),
        )
    ).eval()


def recognizer(name, execution='auto', sampled=True):
    base, arguments, head, channels, sgs = BACKBONES[name]
    backbone = dict(type=base, **arguments)
    if sampled:
        backbone.update(
            type=f'ATFR{base}',
            sgs=dict(similarity='l2', **sgs),
            execution=execution,
        )
    return build(backbone, head, channels)


def two_paths():
    return build(dict(type='TwoPaths'), 'X3DHead', 12)


def count(model, views):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(views, mode='tensor', stage='head')
    return counter.get_total_flops() / 2e9


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize('name', BACKBONES)
def test_cost_is_what_the_counter_counts_on_the_clip_alone(name, execution):
    model = recognizer(name, execution)
    cost = CostModel(model)
    layers = list(sgs_layers(model).values())
    (num_frames,) = cost.num_frames(SHAPE)
    for length in range(1, num_frames + 1):
        with force_lengths(model, [length]):
            counted = count(model, torch.rand(1, 1, *SHAPE))
        assert [layer.groups.lengths.tolist() for layer in layers] == [
            [length]
        ]
        assert cost.gflops(SHAPE, length) == pytest.approx(counted, rel=1e-3)


@pytest.mark.parametrize('name', ['x3d', 'r18'])
def test_cost_of_random_clips(name):
    model = recognizer(name)
    cost = CostModel(model)
    seen = set()
    for seed in range(20):
        generator = torch.manual_seed(seed)
        clip = torch.randn(SHAPE, generator=generator)
        clip[:, seed % 12 :] = clip[:, -1:]
        counted = count(model, clip[None, None])
        length = int(model.backbone.lengths)
        assert cost.gflops(SHAPE, length) == pytest.approx(counted, rel=1e-9)
        seen.add(length)
    assert len(seen) > 1


@pytest.mark.parametrize('name', ['x3d', 'r18'])
def test_base_has_one_cost_and_sampling_adds_little_at_full_length(name):
    base = recognizer(name, sampled=False)
    cost, static = CostModel(base), count(base, torch.rand(1, 1, *SHAPE))
    assert cost.gflops(SHAPE, 3) == cost.gflops(SHAPE) == static
    assert cost.num_frames(SHAPE) == (12,) and not cost.layers
    ours = CostModel(recognizer(name))
    costs = [ours.gflops(SHAPE, n) for n in range(1, 13)]
    assert costs == sorted(costs) and costs[0] < 0.9 * static
    assert static < costs[-1] < 1.001 * static
    assert ours.gflops(SHAPE) == costs[-1]


@pytest.mark.parametrize('name', BACKBONES)
def test_stages_add_up(name):
    cost = CostModel(recognizer(name))
    for length in (1, 5):
        stages = cost.stages(SHAPE, length)
        assert sum(stages.values()) == pytest.approx(
            cost.gflops(SHAPE, length), rel=1e-12
        )
        assert 'other' not in stages
    assert {'backbone.layer1', 'backbone.sgs', 'cls_head'} <= set(stages)


@pytest.mark.parametrize('name', BACKBONES)
def test_operations_add_up(name):
    cost = CostModel(recognizer(name))
    for length in (1, 5):
        operations = cost.operations(SHAPE, length)
        assert sum(o.gflops for o in operations) == pytest.approx(
            cost.gflops(SHAPE, length), rel=1e-12
        )


def test_an_operation_reads_and_writes_each_number_once():
    first, *_ = CostModel(two_paths()).operations((3, 6, 10, 10))
    # Two frames of three channels, 3x3x3 kernels of eight, biases, maps.
    assert first.numbers == 600 + 8 * 81 + 8 + 1600
    assert first.gflops == pytest.approx(1e-9 * 1600 * 81)


def test_what_comes_before_sampling_costs_the_same_at_any_length():
    base = CostModel(recognizer('r18', sampled=False)).stages(SHAPE)
    # Sampling takes place within the last block of the second stage.
    cost = CostModel(recognizer('r18-before-relu'))
    few, all_frames = cost.stages(SHAPE, 1), cost.stages(SHAPE)
    for name in ('backbone.conv1', 'backbone.layer1', 'backbone.layer2'):
        assert few[name] == all_frames[name] == base[name]
    assert few['backbone.layer3'] < all_frames['backbone.layer3']


def test_two_layers():
    model = two_paths()
    cost = CostModel(model)
    assert cost.layers == ('backbone.slow_path.sgs', 'backbone.fast_path.sgs')
    assert cost.num_frames(SHAPE) == (4, 12)
    for lengths in ((1, 1), (4, 2), (2, 12), (4, 12)):
        with force_lengths(model, [lengths]):
            counted = count(model, torch.rand(1, 1, *SHAPE))
        assert cost.gflops(SHAPE, lengths) == pytest.approx(counted, rel=1e-9)
        stages = cost.stages(SHAPE, lengths)
        assert sum(stages.values()) == pytest.approx(counted, rel=1e-9)
        slow, fast = (
            stages[f'backbone.{path}.layer1'] * 1e9
            for path in ('slow_path', 'fast_path')
        )
        assert (slow, fast) == pytest.approx(
            (lengths[0] * 8 * 8 * 32 * 32, lengths[1] * 4 * 4 * 32 * 32)
        )
    with pytest.raises(ValueError, match='length=5 .*slow_path.*fast_path'):
        cost.gflops(SHAPE, 5)
    with pytest.raises(ValueError, match='from 1 to 4'):
        cost.gflops(SHAPE, (5, 12))


def test_2d_recognizer():
    model = build(dict(type='Frames'), 'TSNHead', 8, 'Recognizer2D')
    shape = (3, 6, 32, 32)
    cost = CostModel(model)
    views = torch.randn(4, 2 * 6, 3, 32, 32)  # of 4 videos, 2 each
    with ClipRecorder(model, cost) as recorder, torch.no_grad():
        model(views, mode='tensor', stage='head')
        records = recorder.pop_records()
    assert records.lengths.shape == (8,)
    assert records.num_frames == records.clip_frames == 6
    assert len(records.lengths.unique()) > 1
    alone = views.view(8, 6, 3, 32, 32).split(1)
    for clip, length, gflops in zip(
        alone, records.lengths, records.gflops, strict=True
    ):
        assert count(model, clip) == pytest.approx(float(gflops), rel=1e-9)
        assert model.backbone.sgs.groups.lengths.item() == length
        assert cost.gflops(shape, int(length)) == gflops


def test_2d_recognizer_without_sampling():
    model = build(
        dict(type='ResNet', depth=18, norm_eval=False),
        'TSNHead',
        512,
        'Recognizer2D',
    )
    with ClipRecorder(model) as recorder, torch.no_grad():
        model(torch.rand(2, 5, 3, 32, 32), mode='tensor')
        records = recorder.pop_records()
    # Nothing combines these frames into clips, so each is a clip.
    assert records.lengths.tolist() == [1] * 10 and records.num_frames == 1
    counted = count(model, torch.rand(1, 1, 3, 32, 32))
    assert records.gflops.tolist() == pytest.approx([counted] * 10)


def test_frames_of_a_shape_whose_cost_is_known():
    model = recognizer('r18')
    cost, other = CostModel(model), (3, 6, 32, 32)
    for shape in (SHAPE, other):
        cost.gflops(shape, 1)
    seen = []
    thread = Thread(target=lambda: seen.append(cost.num_frames(SHAPE)))
    thread.start()
    thread.join()
    assert seen == [cost.num_frames(SHAPE)] == [(12,)]
    assert cost.num_frames(other) == (6,)
    assert cost.gflops(SHAPE) == cost.gflops(SHAPE, 12)


def test_model_is_left_alone():
    model = recognizer('x3d')
    binning = model.backbone.sgs.binning
    CostModel(model).gflops(SHAPE, 4)
    assert model.backbone.sgs.binning is binning
    assert next(model.parameters()).device.type == 'cpu'
    assert model.backbone.execution == 'auto'


class TestClipRecorder:
    def test_sees_every_clip_once(self):
        model = recognizer('x3d')
        clips = torch.randn(5, 1, *SHAPE)
        with ClipRecorder(model) as recorder, torch.no_grad():
            model(clips[:3], mode='tensor')
            first = model.backbone.lengths
            model(clips[3:], mode='tensor')
            records = recorder.pop_records()
            assert len(recorder.pop_records().lengths) == 0
        assert records.lengths[:3].equal(first)
        assert records.num_frames == 12 and records.gflops.shape == (5,)
        assert records.resolution.equal(records.lengths / 12)
        model(clips, mode='tensor')
        assert len(recorder.pop_records().lengths) == 0

    def test_two_layers(self):
        model = two_paths()
        cost = CostModel(model)
        lengths = [[1, 12], [4, 3], [2, 6]]
        with (
            ClipRecorder(model, cost) as recorder,
            force_lengths(model, lengths),
            torch.no_grad(),
        ):
            model(torch.rand(1, 3, *SHAPE), mode='tensor')
            records = recorder.pop_records()
        assert recorder.layers == cost.layers
        assert records.lengths.tolist() == lengths
        assert records.num_frames == (4, 12)
        assert records.resolution.tolist() == pytest.approx(
            [(1 / 4 + 1) / 2, (1 + 1 / 4) / 2, 1 / 2]
        )
        assert records.gflops.tolist() == [
            cost.gflops(SHAPE, clip) for clip in lengths
        ]

    @pytest.mark.parametrize('execution', ['packed', 'sequential'])
    def test_groups_are_numbered_through_the_clips(self, execution):
        model = recognizer('x3d', execution)
        lengths = [3, 5, 12, 1]
        clips = torch.randn(4, 1, *SHAPE)
        with (
            ClipRecorder(model) as recorder,
            force_lengths(model, lengths),
            torch.no_grad(),
        ):
            model(clips[:3], mode='tensor')
            model(clips[3:], mode='tensor')
            records = recorder.pop_records()
        (groups,) = records.groups
        assert records.clip_frames == 12
        assert groups.shape == (4, 12)
        assert groups.unique().tolist() == [*range(sum(lengths))]
        assert groups[:, 0].tolist() == [0, 3, 8, 20]

    def test_views_in_several_forwards(self):
        model = recognizer('x3d')
        views = torch.randn(1, 5, *SHAPE)
        seen = []
        for most in (None, 2):
            model.test_cfg = dict(max_testing_views=most)
            with ClipRecorder(model) as recorder, torch.no_grad():
                model.extract_feat(views, test_mode=True)
                seen.append(recorder.pop_records().lengths.tolist())
        assert seen[0] == seen[1] and len(seen[0]) == 5

    def test_readout_makes_no_difference(self):
        records = []
        for readout in ('mean', 'frames'):
            model = recognizer('r18')
            model.backbone.readout = readout
            with ClipRecorder(model) as recorder, torch.no_grad():
                torch.manual_seed(0)
                model(torch.randn(2, 1, *SHAPE), mode='tensor')
                records.append(recorder.pop_records())
        assert records[0].lengths.shape == (2,)
        for mean, frames in zip(*records, strict=True):
            torch.testing.assert_close(mean, frames, rtol=0, atol=0)


def test_readout_costs_nothing():
    model = build(
        dict(type='ATFRX3D', **X3D, sgs=dict(stage=1), readout='frames'),
        'X3DHead',
        144,
    )
    first = CostModel(model).gflops(SHAPE, length=5)
    mean = build(
        dict(type='ATFRX3D', **X3D, sgs=dict(stage=1)), 'X3DHead', 144
    )
    assert CostModel(mean).gflops(SHAPE, length=5) == pytest.approx(
        first, rel=1e-3
    )
