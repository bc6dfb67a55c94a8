"""Ragged modules equal the plain ones on each clip alone."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ragged_runs import (
    CHANNELS,
    LENGTHS,
    SqueezeExcitation,
    assert_equals_alone,
    clips_of,
    convert,
    run_packed,
)
from torch import nn

from mmatfr.ragged import (
    pack,
)


def fits(module, lengths):
    """Whether torch can run the module on each clip, forward and backward.

    The gradient of a max pool writes out of bounds if a window lies entirely
    in the padding (torch 2.13).
    """
    try:
        outputs = [module.double()(clip) for clip in clips_of(lengths)]
    except RuntimeError:
        return False
    return all(output.isfinite().all() for output in outputs)


@settings(max_examples=120, deadline=None)
@given(
    lengths=LENGTHS,
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
    groups=st.sampled_from([1, 2, CHANNELS]),
    bias=st.booleans(),
)
def test_convolution(lengths, kernel, stride, padding, dilation, groups, bias):
    conv = nn.Conv3d(
        CHANNELS,
        2 * CHANNELS,
        (kernel, 3, 1),
        (stride, 2, 1),
        (padding, 1, 0),
        (dilation, 1, 1),
        groups,
        bias,
    )
    assume(fits(conv, lengths))
    assert_equals_alone(conv, lengths)


@pytest.mark.parametrize(
    'kernel,padding', [(3, 'same'), (3, 'valid'), ((1, 3, 3), 'same')]
)
def test_convolution_with_named_padding(kernel, padding):
    assert_equals_alone(
        nn.Conv3d(CHANNELS, 2, kernel, padding=padding), [3, 5, 4]
    )


@settings(max_examples=120, deadline=None)
@given(
    data=st.data(),
    lengths=LENGTHS,
    kernel=st.integers(1, 4),
    stride=st.one_of(st.none(), st.integers(1, 4)),
    dilation=st.integers(1, 2),
    ceil_mode=st.booleans(),
    average=st.booleans(),
    include=st.booleans(),
    divisor=st.sampled_from([None, 3]),
)
def test_pools(
    data,
    lengths,
    kernel,
    stride,
    dilation,
    ceil_mode,
    average,
    include,
    divisor,
):
    padding = (data.draw(st.integers(0, kernel // 2)), 1, 0)
    stride = None if stride is None else (stride, 2, 1)
    if average:
        pool = nn.AvgPool3d(
            (kernel, 3, 2), stride, padding, ceil_mode, include, divisor
        )
    else:
        pool = nn.MaxPool3d(
            (kernel, 3, 2),
            stride,
            padding,
            (dilation, 1, 1),
            ceil_mode=ceil_mode,
        )
    assume(fits(pool, lengths))
    assert_equals_alone(pool, lengths)


@pytest.mark.parametrize('alone', [True, False])
@pytest.mark.parametrize('pool', [nn.MaxPool3d, nn.AvgPool3d])
def test_clip_shorter_than_a_pool_is_one_window(pool, alone):
    clips = clips_of([4, 1, 3, 1])
    ragged = convert(pool((2, 1, 1)))
    if alone:
        actual = torch.cat([ragged(clip) for clip in clips], dim=2)
    else:
        actual = run_packed(ragged, *pack(clips))
    expected = (
        [
            clips[0].unflatten(2, (2, 2)).mean(3),
            clips[1],
            clips[2][:, :, :2].mean(2, keepdim=True),
            clips[3],
        ]
        if pool is nn.AvgPool3d
        else [
            clips[0].unflatten(2, (2, 2)).amax(3),
            clips[1],
            clips[2][:, :, :2].amax(2, keepdim=True),
            clips[3],
        ]
    )
    torch.testing.assert_close(actual, torch.cat(expected, dim=2))


@settings(max_examples=30, deadline=None)
@given(
    lengths=LENGTHS,
    size=st.sampled_from([1, (1, 2, 3), (None, 1, 1), (1, None, None)]),
    kind=st.sampled_from([nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d]),
)
def test_adaptive_pools(lengths, size, kind):
    assert_equals_alone(kind(size), lengths)


@settings(max_examples=30, deadline=None)
@given(lengths=LENGTHS)
def test_squeeze_excitation(lengths):
    assert_equals_alone(SqueezeExcitation(), lengths)


def test_clip_too_short_for_a_window_says_so():
    conv = convert(nn.Conv3d(CHANNELS, 2, 3))
    x, layout = pack(clips_of([4, 2], torch.float32))
    with pytest.raises(ValueError, match='2 frames is too short.*3 frames'):
        run_packed(conv, x, layout)
