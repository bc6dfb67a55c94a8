"""Ragged forms of mmaction2's modules: packed equals each clip alone."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.models.backbones.resnet import Bottleneck
from mmaction.models.backbones.resnet_tsm import NL3DWrapper, TemporalShift
from mmaction.models.common import Conv2plus1d
from mmcv.cnn import NonLocal2d, NonLocal3d
from ragged_runs import run_packed
from torch import nn

from mmatfr.ragged import (
    Route,
    convert_ragged,
    find_refusals,
    pack,
    watch_places,
)

CHANNELS = 8
LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=4)


# Number of frames of the clip with which places are recorded.
PLACE = 64


def convert(module, frames_first=False):
    """Converts a module, which keeps its route."""
    clip = torch.zeros(1, CHANNELS, PLACE, 5, 4)
    if frames_first:
        clip = clip[0].transpose(0, 1)
    probe = copy.deepcopy(module).float().eval()
    for part in probe.modules():
        if hasattr(part, 'num_segments'):
            part.num_segments = PLACE
    with torch.no_grad(), watch_places(probe) as seen:
        probe(clip)
    twins = dict(zip(probe.modules(), module.modules(), strict=True))
    places = {twins[twin]: ends for twin, ends in seen.items()}
    module.route = Route(PLACE)
    return convert_ragged(module, module.route, places, 'stage')


def shift(num_segments):
    return TemporalShift(
        nn.Conv2d(CHANNELS, 4, 3), num_segments=num_segments, shift_div=4
    )


def non_local_wrapper(num_segments):
    return NL3DWrapper(
        Bottleneck(CHANNELS, CHANNELS // 4),
        num_segments,
        dict(zeros_init=False, std=0.5),
    )


def assert_equals_alone(make, lengths, frames_first):
    """Values, gradients of the input and of every parameter, in float64.

    Args:
        make (Callable): Makes the module for clips of a number of frames.
        lengths (list[int]): Number of frames of each clip.
        frames_first (bool): Whether frames lie along the first axis.
    """
    torch.manual_seed(sum(lengths))
    module = make(1).double().eval()
    ragged = convert(copy.deepcopy(module), frames_first)
    axis = 0 if frames_first else 2
    alone = [
        torch.randn(1, CHANNELS, n, 5, 4, dtype=torch.float64) for n in lengths
    ]
    if frames_first:
        alone = [clip[0].transpose(0, 1).contiguous() for clip in alone]
    for clip in alone:
        clip.requires_grad_()
    expected = []
    for clip, length in zip(alone, lengths, strict=True):
        for part in module.modules():
            if hasattr(part, 'num_segments'):
                part.num_segments = length
        expected.append(module(clip))
    x, layout = pack([clip.detach() for clip in alone])
    for memory_format in (
        torch.contiguous_format,
        torch.channels_last if frames_first else torch.channels_last_3d,
    ):
        ragged.zero_grad()
        x = x.detach().contiguous(memory_format=memory_format)
        x.requires_grad_()
        actual = run_packed(ragged, x, layout)
        actual = actual.split([out.shape[axis] for out in expected], axis)
        for ours, theirs in zip(actual, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)
        for outputs in (actual, expected):
            torch.manual_seed(0)
            sum(
                (out * torch.randn(out.shape)).sum() for out in outputs
            ).backward(retain_graph=True)
        torch.testing.assert_close(
            x.grad, pack([c.grad for c in alone])[0], rtol=0, atol=1e-9
        )
        for ours, theirs in zip(
            ragged.parameters(), module.parameters(), strict=True
        ):
            torch.testing.assert_close(
                ours.grad, theirs.grad, rtol=0, atol=1e-9
            )
        module.zero_grad()
        for clip in alone:
            clip.grad = None


@settings(max_examples=30, deadline=None)
@given(lengths=LENGTHS)
def test_temporal_shift(lengths):
    assert_equals_alone(shift, lengths, frames_first=True)


@settings(max_examples=20, deadline=None)
@given(lengths=LENGTHS)
def test_block_with_non_local_block(lengths):
    assert_equals_alone(non_local_wrapper, lengths, frames_first=True)


@settings(max_examples=20, deadline=None)
@given(
    lengths=LENGTHS,
    # mmcv's own 'concatenation' overwrites what its gradient needs.
    mode=st.sampled_from(['gaussian', 'embedded_gaussian', 'dot_product']),
    sub_sample=st.booleans(),
    norm_cfg=st.sampled_from([None, dict(type='BN3d')]),
)
def test_non_local(lengths, mode, sub_sample, norm_cfg):
    def make(num_segments):
        return NonLocal3d(
            CHANNELS,
            reduction=1 if mode == 'gaussian' else 2,
            mode=mode,
            sub_sample=sub_sample,
            norm_cfg=norm_cfg,
            zeros_init=False,
            std=0.5,
        )

    assert_equals_alone(make, lengths, frames_first=False)


@settings(max_examples=20, deadline=None)
@given(lengths=LENGTHS, stride=st.integers(1, 2))
def test_factorised_convolution(lengths, stride):
    def make(num_segments):
        return Conv2plus1d(CHANNELS, 6, 3, stride=stride, padding=1)

    assert_equals_alone(make, lengths, frames_first=False)


def test_non_local_training_normalises_over_all_clips():
    torch.manual_seed(0)
    module = NonLocal3d(CHANNELS, norm_cfg=dict(type='BN3d'), zeros_init=False)
    ragged = convert(module).train()
    seen = []
    module.conv_out.bn.register_forward_hook(
        lambda module, args, out: seen.append(args[0].shape[2])
    )
    run_packed(
        ragged, *pack([torch.rand(1, CHANNELS, n, 4, 4) for n in (2, 5)])
    )
    assert seen == [7]


def test_non_local_block_of_another_dimension_is_refused():
    refusals = find_refusals(NonLocal2d(CHANNELS), 'block')
    assert list(refusals) == ['block'] and 'NonLocal3d' in refusals['block']


@pytest.mark.parametrize('fold', [1, 2])
def test_one_frame_has_no_neighbours(fold):
    """A clip of one group is shifted out of its first channels."""
    module = convert(
        TemporalShift(nn.Identity(), 4, shift_div=CHANNELS // fold),
        frames_first=True,
    )
    x, layout = pack([torch.rand(n, CHANNELS, 2, 2) + 1 for n in (1, 1, 1)])
    out = run_packed(module, x, layout)
    assert not out[:, : 2 * fold].any()
    assert out[:, 2 * fold :].equal(x[:, 2 * fold :])
