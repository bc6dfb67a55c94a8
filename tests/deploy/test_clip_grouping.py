"""Groups of one clip against those of a batch."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from mmatfr.deploy.grouping import group_clip
from mmatfr.sgs import group_frames

# Ties and edges are likely among so few values.
MAGNITUDES = st.lists(
    st.one_of(
        st.integers(0, 6).map(lambda n: n / 4),
        st.floats(0, 3, width=32),
    ),
    min_size=1,
    max_size=9,
)


@given(
    MAGNITUDES,
    st.one_of(st.integers(1, 20), st.integers(1, 20_000)),
    st.sampled_from(['delta', 'linear']),
    st.sampled_from([None, True, False]),
    st.sampled_from(['magnitude', 'time']),
    st.booleans(),
    st.sampled_from([None, 1.0]),
    st.integers(0, 3),
)
def test_equals_the_groups_of_a_batch(
    magnitude, num_bins, kernel, normalize, order, contiguous, peak, ends
):
    magnitude = torch.tensor(magnitude)
    options = dict(
        kernel=kernel,
        normalize=normalize,
        order=order,
        contiguous=contiguous,
        peak=peak,
        ends=ends,
    )
    expected = group_frames(magnitude[None], num_bins, **options)
    groups = group_clip(magnitude, torch.tensor(num_bins), **options)
    assert groups.index.tolist() == expected.index[0].tolist()
    assert groups.length.tolist() == expected.lengths.item()
    torch.testing.assert_close(
        groups.weight, expected.weight[0], rtol=0, atol=0
    )
