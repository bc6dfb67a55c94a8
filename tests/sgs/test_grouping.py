import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmatfr.sgs import group_frames, merge_frames


def members(groups, clip=0):
    """Frames of each group of a clip, in the order of its groups."""
    index = groups.index[clip].tolist()
    return [
        [t for t, group in enumerate(index) if group == wanted]
        for wanted in sorted(set(index))
    ]


def magnitudes(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_bins_tile_zero_to_the_maximum():
    # Delta_max = 8, B = 4: bins [0, 2), [2, 4), [4, 6), [6, 8].
    groups = group_frames(
        magnitudes([0.0, 1.9, 2.0, 5.0, 8.0, 3.9]), num_bins=4
    )
    assert members(groups) == [[0, 1], [2, 5], [3], [4]]
    assert groups.lengths.tolist() == [4]


def test_empty_bins_leave_no_group():
    groups = group_frames(magnitudes([0.0, 0.1, 8.0, 7.9]), num_bins=4)
    assert members(groups) == [[0, 1], [2, 3]]


def test_number_of_bins_is_the_number_of_frames_by_default():
    groups = group_frames(magnitudes([0.5, 1.5, 2.5, 3.5]))
    assert groups.lengths.tolist() == [4]


def test_groups_are_numbered_through_the_batch():
    groups = group_frames(
        magnitudes(
            [0.0, 8.0, 0.0, 8.0], [4.0, 4.0, 4.0, 4.0], [1.0, 3.0, 5.0, 7.0]
        ),
        4,
    )
    assert groups.lengths.tolist() == [2, 1, 4]
    assert groups.index.tolist() == [[0, 1, 0, 1], [2] * 4, [3, 4, 5, 6]]


def test_order_by_time():
    magnitude = magnitudes([9.0, 9.0, 1.0, 5.0, 1.0])
    by_magnitude = group_frames(magnitude, num_bins=3)
    by_time = group_frames(magnitude, num_bins=3, order='time')
    assert members(by_magnitude) == [[2, 4], [3], [0, 1]]
    # Mean frame indices 3 and 3 tie: the lower magnitude goes first.
    assert members(by_time) == [[0, 1], [2, 4], [3]]


def test_contiguous_groups_hold_neighbours_only():
    magnitude = magnitudes([9.0, 1.0, 1.0, 9.0, 5.0, 1.0])
    groups = group_frames(magnitude, num_bins=3, contiguous=True)
    assert members(groups) == [[1, 2], [5], [4], [0], [3]]
    groups = group_frames(magnitude, num_bins=3, contiguous=True, order='time')
    assert members(groups) == [[0], [1, 2], [3], [4], [5]]


@pytest.mark.parametrize('kernel', ['delta', 'linear'])
@pytest.mark.parametrize('normalize', [True, False])
@pytest.mark.parametrize('value', [0.0, 1e-30, 1.0, 1e4, 3e37])
def test_still_clip_is_one_group_the_mean(kernel, normalize, value):
    magnitude = torch.full((1, 5), value, requires_grad=True)
    groups = group_frames(magnitude, kernel=kernel, normalize=normalize)
    assert groups.lengths.tolist() == [1]
    assert groups.weight.tolist() == [[pytest.approx(0.2)] * 5]
    groups.weight.pow(2).sum().backward()
    assert magnitude.grad.tolist() == [[0.0] * 5]


@pytest.mark.parametrize('options', [dict(), dict(kernel='linear')], ids=str)
def test_magnitudes_that_are_not_positive_count_as_zero(options):
    magnitude = torch.tensor([[0.0, -2e-7, -1.0], [-1.0, -2.0, -3.0]])
    groups = group_frames(magnitude, **options)
    assert groups.lengths.tolist() == [1, 1]
    torch.testing.assert_close(groups.weight, torch.full((2, 3), 1 / 3))
    some = group_frames(torch.tensor([[-1.0, 0.0, 1.0]]), **options)
    none = group_frames(torch.tensor([[0.0, 0.0, 1.0]]), **options)
    for name, values in vars(some).items():
        assert torch.equal(values, vars(none)[name])


def test_frames_on_an_edge_stay_together_whatever_rounding_says():
    steps = torch.arange(8.0)  # equal steps: each frame is on an edge
    below, above = (
        torch.cat([steps[:1], torch.nextafter(steps[1:7], to), steps[7:]])
        for to in (torch.tensor(0.0), torch.tensor(9.0))
    )
    for magnitude in (below, above):
        groups = group_frames(magnitude[None], num_bins=7)
        assert groups.index.tolist() == [[*range(7), 6]]


@pytest.mark.parametrize('normalize', [True, False])
@pytest.mark.parametrize('kernel', ['delta', 'linear'])
def test_weights_go_over_into_those_of_a_still_clip(kernel, normalize):
    """Rounding at the threshold must not change the result."""
    spread = torch.tensor([0.0, 0.9e-6, 1.2e-6, 1e-5, 3e-5])[:, None]
    magnitude = 1 - spread * torch.tensor([0.0, 1.0, 0.4, 0.7])
    weight = group_frames(
        magnitude.double(), kernel=kernel, normalize=normalize
    ).weight
    moved = (weight[1:] - weight[:-1]).abs().amax(dim=1)
    assert (moved <= 1000 * spread.diff(dim=0)[:, 0] + 2e-3).all()


def test_a_clip_is_still_where_no_more_than_rounding_differs():
    def weight(spread):
        groups = group_frames(
            magnitudes([1.0, 1.0 - spread]), num_bins=1, normalize=False
        )
        return groups.weight.tolist()[0]

    assert weight(0.9e-6) == [0.5, 0.5]
    # Of the weight 1 of a clip that moves, the share of a thousandth.
    moving = 0.5 + 0.5 * 1.1e-3
    assert weight(1.1e-6) == pytest.approx([moving, moving], rel=1e-7)
    # What counts is the difference to the largest, however small that is.
    assert group_frames(magnitudes([0.0, 1e-13])).lengths.tolist() == [2]


def test_bins_of_the_data_end_where_rounding_would_decide():
    magnitude = torch.tensor([[1e3, 1e5, 1e6, 1e7]])
    groups = group_frames(magnitude, num_bins=8, kernel='linear', peak=1.0)
    assert groups.index.tolist() == [[0, 0, 0, 0]]
    assert group_frames(magnitude / 1e3, 8, peak=1.0).lengths == 3


def test_as_many_bins_of_the_data_as_are_asked_for():
    magnitude = torch.linspace(0, 1, 9000)[None]
    groups = group_frames(magnitude, num_bins=8192, peak=1.0)
    expected = group_frames(magnitude, num_bins=8192)
    assert groups.lengths == 8192
    assert groups.index.equal(expected.index)


@pytest.mark.parametrize('kernel', ['delta', 'linear'])
def test_one_frame_gives_itself(kernel):
    x = torch.rand(2, 3, 1, 2, 2)
    groups = group_frames(torch.rand(2, 1), kernel=kernel)
    assert merge_frames(x, groups).equal(torch.cat(list(x), dim=1)[None])


def test_gradient_is_the_slope_of_the_triangle():
    # Delta_max = 8, B = 2, gamma = 2: centres 2 and 6.
    magnitude = magnitudes([1.0, 3.0, 5.0, 8.0]).requires_grad_()
    weight = group_frames(magnitude, 2, kernel='linear').weight
    assert weight.tolist() == [[0.5, 0.5, 0.5, pytest.approx(1e-7)]]
    grads = torch.autograd.grad(weight[0, :3].sum(), magnitude)[0]
    # Slope +-1 / gamma, and -slope * Delta / Delta_max through Delta_max.
    through_peak = -(1 - 3 + 5) / 2 / 8
    assert grads.tolist() == [[0.5, -0.5, 0.5, through_peak]]

    magnitude = magnitudes([1.0, 3.0, 5.0, 8.0]).requires_grad_()
    weight = group_frames(magnitude, 2, kernel='delta').weight
    assert weight.tolist() == [[0.5] * 4]
    grads = torch.autograd.grad(weight[0, :3].sum(), magnitude)[0]
    # The indicator has none: the same slopes, divided by the two frames.
    assert grads.tolist() == [[0.25, -0.25, 0.25, through_peak / 2]]


def test_merge_frames_gradients_agree_with_finite_differences():
    groups = group_frames(torch.rand(2, 5, dtype=torch.float64), num_bins=3)
    x = torch.rand(2, 3, 5, 2, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, weight: merge_frames(x, replace(groups, weight=weight)),
        (x, weight),
    )


@pytest.mark.parametrize(
    'ends,expected',
    [
        (0, [[0, 1, 2, 3], [4, 5]]),
        (1, [[0], [1, 2, 3], [4], [5]]),
        (2, [[0], [1], [2, 3], [4], [5]]),
        (9, [[0], [1], [2, 3], [4], [5]]),  # one group is left in between
    ],
)
def test_frames_at_the_ends_are_groups_of_one(ends, expected):
    magnitude = magnitudes([0.0, 1.0, 1.0, 1.0, 5.0, 9.0])
    assert members(group_frames(magnitude, 2, ends=ends)) == expected


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_merge_frames_does_not_depend_on_the_memory_format(dtype):
    """In single precision, and in half precision summed in single."""
    groups = group_frames(torch.rand(2, 5), num_bins=3)
    frames = torch.rand(2, 3, 5, 4, 4).to(dtype)
    found = []
    for memory_format in (torch.contiguous_format, torch.channels_last_3d):
        x = frames.clone(memory_format=memory_format).requires_grad_()
        weight = groups.weight.clone().requires_grad_()
        merged = merge_frames(x, replace(groups, weight=weight))
        assert merged.dtype == dtype
        assert merged.is_contiguous(memory_format=memory_format)
        merged.square().sum().backward()
        found.append((merged, x.grad, weight.grad))
    torch.testing.assert_close(*found)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    num_clips=st.integers(1, 5),
    num_frames=st.integers(1, 12),
    num_bins=st.one_of(st.none(), st.integers(1, 15)),
    kernel=st.sampled_from(['delta', 'linear']),
    normalize=st.booleans(),
    order=st.sampled_from(['magnitude', 'time']),
    contiguous=st.booleans(),
)
def test_groups_agree_with_a_plain_loop(
    data, num_clips, num_frames, num_bins, kernel, normalize, order, contiguous
):
    rows = data.draw(
        st.lists(
            st.lists(
                st.one_of(
                    st.sampled_from([0.0, 1.0, 2.0, 4.0, 4.0 - 1e-4]),
                    st.floats(0, 1e4),
                ),
                min_size=num_frames,
                max_size=num_frames,
            ),
            min_size=num_clips,
            max_size=num_clips,
        )
    )
    magnitude = torch.tensor(rows, dtype=torch.float64)
    groups = group_frames(
        magnitude, num_bins, kernel, normalize, order, contiguous
    )
    x = torch.rand(num_clips, 2, num_frames, 1, 1, dtype=torch.float64)
    maps = merge_frames(x, groups)
    assert groups.lengths.sum() == maps.shape[2]

    start = 0
    for clip, delta in enumerate(rows):
        expected = plain_groups(
            delta, num_bins or num_frames, kernel, normalize, order, contiguous
        )
        assert int(groups.lengths[clip]) == len(expected)
        for position, weights in enumerate(expected):
            wanted = sum(
                weight * x[clip, :, t] for t, weight in weights.items()
            )
            torch.testing.assert_close(
                maps[0, :, start + position], wanted, rtol=1e-9, atol=1e-9
            )
        start += len(expected)


def plain_groups(delta, num_bins, kernel, normalize, order, contiguous):
    """The definition, frame by frame: weight by frame, group by group."""
    peak = max(delta)
    spread = (peak - min(delta)) / max(peak, 1e-12)
    if spread <= 1e-6:
        return [{t: 1 / len(delta) for t in range(len(delta))}]
    moving = min(spread / 1e-3, 1)
    half_width = peak / (2 * num_bins)
    groups, previous = {}, None
    for t, value in enumerate(delta):
        b = math.floor(value * (2 * num_bins / peak) / 2 + 1e-6 * num_bins)
        b = min(b, num_bins - 1)
        key = (b, t) if contiguous and b != previous else (b, 0)
        if contiguous and b == previous:
            key = max(k for k in groups if k[0] == b)
        previous = b
        weight = 1.0
        if kernel == 'linear':
            weight = max(1 - abs(value / half_width - (2 * b + 1)), 1e-7)
        groups.setdefault(key, {})[t] = weight
    ordered = sorted(groups.items())
    if order == 'time':
        ordered.sort(key=lambda item: sum(item[1]) / len(item[1]))
    return [
        {
            t: moving * weight / (len(group) if normalize else 1)
            + (1 - moving) / len(group)
            for t, weight in group.items()
        }
        for _, group in ordered
    ]
