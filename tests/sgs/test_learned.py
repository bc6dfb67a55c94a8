"""The path over predicted steps."""

import pytest
import torch

from mmatfr.sgs import SGS, LearnedPath, set_num_bins

CHANNELS, GRID = 6, 3


@pytest.fixture
def head():
    torch.manual_seed(0)
    head = LearnedPath(CHANNELS, GRID)
    with torch.no_grad():  # as unequal as after training
        head.fc.weight *= 30
    return head.eval()


@pytest.fixture
def z():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(4, 9, CHANNELS * GRID**2, generator=generator)


def test_magnitude_is_the_sum_of_the_predicted_steps(head, z):
    magnitude = head(z)
    assert magnitude.shape == (4, 9) and (magnitude[:, 0] == 0).all()
    steps = magnitude.diff(dim=1)
    assert torch.allclose(steps, head.log_steps(z).exp(), rtol=1e-4)
    assert steps.max() > 1.5 * steps.min()
    assert head(z[:, :1]).tolist() == [[0.0]] * 4


def test_clip_is_what_it_is_alone(head, z):
    alone = torch.cat([head(clip[None]) for clip in z])
    assert torch.allclose(head(z), alone, rtol=1e-5)


@pytest.mark.parametrize('noise', [0.0, 1e-8])
def test_step_less_than_rounding_is_none(head, z, noise):
    z[:, 3] = z[:, 2] * (1 + noise)
    steps = head(z).diff(dim=1)
    assert (steps[:, 2] == 0).all()
    assert (steps[:, [1, 3]] > 0).all()


def test_step_does_not_depend_on_the_exposure(head, z):
    darker = 0.5 * z
    assert torch.allclose(head(darker), head(z), rtol=1e-3)


def test_sees_where_the_change_is(head, z):
    """The grid is not averaged before the head."""
    cells = z.unflatten(2, (CHANNELS, GRID**2))
    order = torch.tensor([4, 1, 2, 3, 0, 5, 6, 7, 8])
    moved = cells[:, :, :, order].flatten(2)
    assert not torch.allclose(head(moved), head(z), rtol=1e-2)


def test_graph_has_no_branch_on_data(head, z):
    program = torch.export.export(head, (z,))
    for clips in (z, z.roll(1, 0), torch.ones_like(z)):
        assert torch.allclose(program.module()(clips), head(clips))


def make_layer(**options):
    torch.manual_seed(0)
    options = {**dict(embedding='identity', grid=GRID), **options}
    return SGS(CHANNELS, similarity='learned_path', **options)


@pytest.mark.parametrize('bin_range, groups', [('clip', 4), ('data', 8)])
def test_layer_groups_neighbours(bin_range, groups):
    layer = make_layer(num_bins=4, bin_range=bin_range)
    x = torch.rand(2, CHANNELS, 8, 6, 6)
    x[1] = x[1, :, :1]
    maps, lengths = layer(x)
    # The mean over the clips is half of what the first has.
    assert lengths.tolist() == [groups, 1]
    assert torch.allclose(maps[:, :, -1], x[1, :, 0][None], atol=1e-6)
    index = layer.groups.index[0]
    assert (index.diff() >= 0).all() and index[-1] == groups - 1


def test_any_number_of_bins_and_groups_at_the_border():
    layer = make_layer(num_bins=3, border=1, border_groups=True)
    x = torch.rand(1, CHANNELS, 9, 6, 6)
    maps, lengths = layer(x)
    assert lengths.tolist() == [5]
    assert torch.equal(maps[:, :, 0], x[:, :, 0])
    set_num_bins(layer, 1)
    assert layer(x)[1].tolist() == [3]


def test_weights_are_those_of_the_head():
    layer = make_layer()
    assert {name.split('.')[0] for name in layer.state_dict()} == {
        'similarity'
    }
    maps, _ = layer(torch.rand(2, CHANNELS, 8, 6, 6))
    maps.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in layer.parameters())


def test_half_precision_takes_the_same_groups():
    layer = make_layer(num_bins=5).eval()
    x = torch.rand(2, CHANNELS, 8, 6, 6).bfloat16()
    _, lengths = layer(x.float())
    index = layer.groups.index
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(layer(x)[1], lengths)
    assert torch.equal(layer.groups.index, index)


def test_head_needs_the_features_as_they_are():
    with pytest.raises(ValueError, match="'mlp_bn'.*embedding='identity'"):
        make_layer(embedding='mlp_bn')
