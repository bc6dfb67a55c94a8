import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmatfr.sgs import SIMILARITIES, group_frames

PATHS = ('path', 'path_squared')


def vectors(*points):
    return torch.tensor([points], dtype=torch.float64)


def test_path_is_the_sum_of_the_steps():
    # Steps of length 5, 0, 1, 2.
    z = vectors([0, 0], [3, 4], [3, 4], [3, 5], [3, 3])
    assert SIMILARITIES['path'](z).tolist() == [[0, 5, 5, 6, 8]]
    assert SIMILARITIES['path_squared'](z).tolist() == [[0, 25, 25, 26, 30]]


def test_norm_is_the_length_of_each_vector():
    z = vectors([3.0, 4.0], [0.0, 0.0], [6.0, 8.0])
    assert SIMILARITIES['norm'](z).tolist() == [[5, 0, 10]]


def test_distances_have_the_epsilon_of_the_authors_in_the_mean_minus_frame():
    z = vectors([0.0], [2.0])
    for name in ('l1', 'l2'):
        torch.testing.assert_close(
            SIMILARITIES[name](z),
            torch.tensor([[1 + 1e-6, 1 - 1e-6]], dtype=torch.float64),
            rtol=0,
            atol=1e-12,
        )


@pytest.mark.parametrize('name', PATHS)
def test_steps_less_than_rounding_are_none(name):
    z = 1e3 + torch.rand(2, 6, 4)
    z[0] = z[0, :1]
    z[0] *= 1 + 1e-7 * torch.tensor([[0], [1], [0], [-1], [1], [0]])
    magnitude = SIMILARITIES[name](z)
    assert magnitude[0].tolist() == [0] * 6
    assert group_frames(magnitude).lengths[0] == 1
    assert magnitude[1, -1] > 0


@pytest.mark.parametrize('name', PATHS)
def test_groups_follow_the_motion_and_not_the_place(name):
    z = torch.zeros(2, 16, 1)
    z[0, 6:9, 0] = torch.tensor([1.0, 2.0, 3.0])  # three steps
    z[0, 9:] = 3.0
    z[1, :, 0] = torch.arange(16.0)  # moves throughout
    groups = group_frames(SIMILARITIES[name](z))
    assert groups.lengths.tolist() == [4, 16]
    assert groups.index[0].tolist() == [0] * 6 + [1, 2] + [3] * 8


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    name=st.sampled_from(PATHS),
    num_frames=st.integers(1, 12),
    num_bins=st.integers(1, 12),
)
def test_groups_of_a_path_are_neighbours_in_order(
    data, name, num_frames, num_bins
):
    row = st.lists(
        st.floats(-100, 100), min_size=num_frames, max_size=num_frames
    )
    z = torch.tensor(data.draw(st.lists(row, min_size=1, max_size=4)))
    magnitude = SIMILARITIES[name](z[..., None])
    assert (magnitude[:, 0] == 0).all()
    assert (magnitude.diff(dim=1) >= 0).all()
    by_magnitude = group_frames(magnitude, num_bins)
    assert (by_magnitude.index.diff(dim=1) >= 0).all()
    assert (by_magnitude.lengths <= min(num_frames, num_bins)).all()
    by_time = group_frames(magnitude, num_bins, order='time', contiguous=True)
    assert by_magnitude.index.equal(by_time.index)


@pytest.mark.parametrize('name', PATHS)
def test_gradients_agree_with_finite_differences(name):
    z = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(SIMILARITIES[name], z)


@pytest.mark.parametrize('name', ['l1', 'l2', 'cosine'])
def test_distances_less_than_rounding_are_none(name):
    z = torch.rand(2, 6, 4)
    z[0] = z[0, :1] * (1 + 1e-7 * torch.tensor([0, 1, 0, -1, 1, 0]))[:, None]
    magnitude = SIMILARITIES[name](z)
    assert (magnitude[0] == magnitude[0, 0]).all()
    assert group_frames(magnitude).lengths[0] == 1
    assert len(magnitude[1].unique()) == 6


def test_cosine_is_exact_for_small_angles():
    angles = torch.tensor([-3e-3, -1e-3, 0.0, 1e-3, 3e-3])
    z = torch.stack([angles.cos(), angles.sin()], dim=1)[None]
    expected = 2 * (angles.double() / 2).sin().square()
    torch.testing.assert_close(
        SIMILARITIES['cosine'](z)[0].double(), expected, rtol=1e-3, atol=1e-12
    )


def test_cosine_sees_directions_only():
    """Frames that differ in brightness are equal; 1 - cos rounds below 0."""
    z = torch.rand(100, 1, 6) * torch.linspace(1, 2, 8)[:, None]
    assert (SIMILARITIES['cosine'](z) == 0).all()


def test_cosine_is_that_of_torch():
    z = torch.randn(3, 5, 4, dtype=torch.float64)
    z[0, 1] = 0  # at right angles to all
    z[1] = 0
    mean = z.mean(dim=1, keepdim=True)
    torch.testing.assert_close(
        SIMILARITIES['cosine'](z), 1 - F.cosine_similarity(z, mean, dim=-1)
    )
    z.requires_grad_()
    (grad,) = torch.autograd.grad(SIMILARITIES['cosine'](z).sum(), z)
    assert (grad.abs() < 10).all()


@pytest.mark.parametrize('name', SIMILARITIES)
def test_gradient_of_a_still_clip_is_finite(name):
    z = torch.ones(1, 5, 3, requires_grad=True)
    SIMILARITIES[name](z).sum().backward()
    assert z.grad.isfinite().all()
