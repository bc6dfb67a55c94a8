"""Properties that hold for random options on random clips.

The default runs the same few cases; `--hypothesis-profile=fuzz` tries many.
"""

import math

import torch
from hypothesis import event, given
from hypothesis import strategies as st
from mmaction.registry import MODELS

from mmatfr.models import atfr
from mmatfr.sgs import SIMILARITIES

SIZE = 12


@MODELS.register_module()
class TinyNetwork(torch.nn.Module):
    """Three stages; the later ones mix frames, also with a stride."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stem = _stage(3, 6, 1)
        self.stage1 = _stage(6, 6, 1)
        self.stage2 = _stage(6, 8, stride)

    def forward(self, x):
        return self.stage2(self.stage1(self.stem(x)))


def _stage(inner, outer, stride):
    return torch.nn.Sequential(
        torch.nn.Conv3d(inner, outer, 3, (stride, 2, 2), 1),
        torch.nn.BatchNorm3d(outer),
        torch.nn.ReLU(),
    )


ATFRTinyNetwork = atfr(TinyNetwork, stages=['stem', 'stage1', 'stage2'])


def brightness(z):
    """A similarity function of a user, never above 0."""
    peak = z.abs().amax(dim=(1, 2)).clamp_min(1e-6)
    return z.mean(dim=-1) / peak[:, None] - 1


@st.composite
def sgs_options(draw):
    embedding = draw(st.sampled_from(['mlp_bn', 'identity']))
    border = draw(st.integers(0, 2))
    options = dict(
        stage=draw(st.integers(0, 1)),
        embedding=embedding,
        similarity=draw(st.sampled_from([*SIMILARITIES, brightness])),
        num_bins=draw(st.one_of(st.none(), st.integers(1, 20))),
        kernel=draw(st.sampled_from(['delta', 'linear'])),
        normalize=draw(st.sampled_from([None, True, False])),
        order=draw(st.sampled_from(['magnitude', 'time'])),
        contiguous=draw(st.booleans()),
        grid=draw(st.integers(1, 3)),
        border=border,
        border_groups=border > 0 and draw(st.booleans()),
        bin_range=draw(st.sampled_from(['clip', 'data'])),
    )
    if embedding == 'identity':
        options['magnitude_grad'] = draw(st.booleans())
    return options


SCENES = (
    'moving',
    'half still',
    'still',
    'nearly still',
    'zeros',
    'dimmed',
    'two in turn',
)


def make_clip(scene, num_frames, noise, scale):
    x = torch.randn(3, num_frames, SIZE, SIZE)
    first = x[:, :1]
    frames = torch.arange(num_frames).view(1, -1, 1, 1)
    if scene == 'half still':
        x = torch.where(frames < num_frames // 2, first, x)
    elif scene == 'still':
        x = first.expand_as(x)
    elif scene == 'nearly still':
        x = first + noise * x
    elif scene == 'zeros':
        x = torch.zeros_like(x)
    elif scene == 'dimmed':
        x = first * (1 + frames / num_frames)
    elif scene == 'two in turn':
        x = torch.where(frames % 2 == 0, first, x[:, -1:])
    return scale * x


@given(
    options=sgs_options(),
    stride=st.integers(1, 2),
    readout=st.sampled_from(['mean', 'frames']),
    num_frames=st.integers(1, 12),
    scenes=st.lists(st.sampled_from(SCENES), min_size=1, max_size=5),
    noise=st.sampled_from([1e-8, 1e-7, 1e-4, 1e-3, 1e-2]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    seed=st.integers(0, 2**20),
)
def test_a_clip_gives_in_a_batch_what_it_gives_alone(
    options, stride, readout, num_frames, scenes, noise, scale, seed
):
    torch.manual_seed(seed)
    network = ATFRTinyNetwork(
        stride=stride, sgs=options, readout=readout, execution='packed'
    )
    x = torch.stack(
        [make_clip(scene, num_frames, noise, scale) for scene in scenes]
    )
    # Sets all statistics, and a step of training is finite.
    network.train()(x).square().mean().backward()
    for parameter in network.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()
    network.eval()
    layer = network.sgs
    with torch.no_grad():
        batch, together = network(x), results_of(layer)
        apart = [(network(clip[None]), *results_of(layer)) for clip in x]
    assert batch.isfinite().all()
    check_groups(together[0])
    for i, (theirs, groups, magnitude) in enumerate(apart):
        check_groups(groups)
        # How much rounding moves the magnitudes; it is not what makes them.
        magnitude = magnitude[0].clamp_min(0.0)
        moved = (magnitude - together[1][i].clamp_min(0.0)).abs().max()
        moved = float(moved / magnitude.max().clamp_min(1e-12))
        assert moved < 0.1
        if near_edge(layer, magnitude, moved):
            event('a frame near an edge')
            continue
        assert groups.lengths[0] == together[0].lengths[i]
        bins = layer.binning.num_bins or num_frames
        if options['bin_range'] == 'data':
            bins *= max(1.0, float(magnitude.max()))
        # The slopes of the kernel and of what goes over into a still clip.
        slope = 2 * bins if options['kernel'] == 'linear' else 0
        if options['kernel'] == 'linear' or options['normalize'] is False:
            slope += 2000
        weight = (groups.weight[0] - together[0].weight[i]).abs().max()
        assert weight <= 1e-6 + 2 * slope * moved
        off = (batch[i] - theirs[0]).abs().max()
        # With 'delta' no weight moves. With 'linear' the later layers amplify
        # what moves, by more than 5 where all weights are small.
        assert off <= (1e-4 + 20 * weight) * theirs.abs().max()


def results_of(layer):
    return layer.groups, layer.magnitude


def near_edge(layer, magnitude, moved):
    """Whether rounding may decide the bin of a frame."""
    num_bins = layer.binning.num_bins or len(magnitude)
    if layer.binning.peak is None:
        peak, last = magnitude.max().clamp_min(1e-12), num_bins
    else:
        peak, last = 1.0, math.inf
    edges = magnitude / peak * num_bins + 1e-6 * num_bins
    edge = edges.round()
    near = (edges - edge).abs() < (1e-5 + 2 * moved) * (1 + edge)
    return bool((near & (edge > 0) & (edge < last)).any())


def check_groups(groups):
    """Every frame is in one group, and every group has a frame."""
    assert groups.weight.isfinite().all()
    start = 0
    for index, length in zip(
        groups.index, groups.lengths.tolist(), strict=True
    ):
        assert sorted(set(index.tolist())) == [*range(start, start + length)]
        start += length
