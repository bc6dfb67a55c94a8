"""Numbers over many videos."""

import pytest

from mmatfr.cost import accuracy_by_resolution


def videos(share, hits, count):
    return [
        dict(lengths=[round(8 * share)], num_frames=8, correct=place < hits)
        for place in range(count)
    ]


def test_intervals_are_wilsons():
    """Of 7 in 10, 81 in 263 and 3 in 3."""
    low, middle, high = accuracy_by_resolution(
        videos(0.25, 7, 10) + videos(0.5, 81, 263) + videos(1, 3, 3),
        num_bins=4,
    )
    assert (low['low'], low['high'], low['videos']) == (0, 0.25, 10)
    assert low['accuracy'] == 0.7
    assert (low['lower'], low['upper']) == pytest.approx(
        (0.3968, 0.8922), abs=1e-4
    )
    assert (middle['lower'], middle['upper']) == pytest.approx(
        (0.2553, 0.3662), abs=1e-4
    )
    assert (high['lower'], high['upper']) == pytest.approx(
        (0.4385, 1), abs=1e-4
    )
