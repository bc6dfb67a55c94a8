"""Embeddings, grids, border frames, gradients and bad options of the layer."""

import copy

import pytest
import torch

from mmatfr.sgs import SGS, merge_frames


def test_every_parameter_gets_a_gradient():
    sgs = SGS(6)
    maps, _ = sgs(torch.rand(4, 6, 8, 3, 3))
    maps.square().sum().backward()
    for name, parameter in sgs.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_parameters_that_an_embedding_has():
    names = {
        embedding: {
            name.split('.')[0]
            for name in SGS(6, embedding=embedding, grid=2).state_dict()
        }
        for embedding in ('mlp_bn', 'identity')
    }
    assert names == dict(mlp_bn={'fc1', 'fc2', 'bn'}, identity=set())
    assert SGS(6, grid=2).fc1.in_features == 24


def test_identity_gives_the_cells_of_the_grid():
    x = torch.rand(2, 3, 5, 4, 6)
    z = SGS(3, embedding='identity', grid=2).embed(x)
    assert z.shape == (2, 5, 12)
    cells = x.unflatten(4, (2, 3)).unflatten(3, (2, 2)).mean(dim=(4, 6))
    torch.testing.assert_close(z, cells.transpose(1, 2).flatten(2))
    z = SGS(3, embedding='identity').embed(x)
    torch.testing.assert_close(z, x.mean(dim=(3, 4)).transpose(1, 2))


def test_a_grid_sees_motion_that_the_global_average_hides():
    x = torch.zeros(1, 3, 4, 8, 8)
    for t in range(4):
        x[0, :, t, :, 2 * t : 2 * t + 2] = 1.0
    seen = {
        grid: int(
            SGS(3, similarity='path', embedding='identity', grid=grid)(x)[1]
        )
        for grid in (1, 4)
    }
    assert seen == {1: 1, 4: 4}


@pytest.mark.parametrize(
    'border,num_frames,same',
    [
        (1, 6, [[0, 1], [4, 5]]),
        (2, 6, [[0, 1, 2], [3, 4, 5]]),
        (2, 5, [[0, 1, 2, 3, 4]]),
        (1, 3, [[0, 1, 2]]),
        (1, 2, []),
        (1, 1, []),
        (2, 4, [[0, 1], [2, 3]]),
        (2, 3, [[0, 1, 2]]),
        (2, 2, []),
        (2, 1, []),
        (100, 8, [[0, 1, 2, 3], [4, 5, 6, 7]]),
    ],
)
@pytest.mark.parametrize('similarity', ['norm', 'path'])
def test_frames_of_the_border_are_judged_as_their_neighbour(
    similarity, border, num_frames, same
):
    x = torch.rand(2, 6, num_frames, 2, 2)
    options = dict(similarity=similarity, embedding='identity')
    sgs = SGS(6, border=border, **options)
    sgs(x)
    for frames in same:
        assert (sgs.magnitude[:, frames].diff(dim=1) == 0).all()
        assert (sgs.groups.index[:, frames].diff(dim=1) == 0).all()
    moved = sum(len(frames) - 1 for frames in same)
    assert len(sgs.magnitude[0].unique()) == num_frames - moved


@pytest.mark.parametrize(
    'border,num_frames',
    [(1, 6), (2, 9), (1, 4), (3, 7), (2, 4), (2, 3), (2, 2), (2, 1)],
)
@pytest.mark.parametrize(
    'options',
    [dict(), dict(similarity='path'), dict(kernel='linear', normalize=True)],
    ids=str,
)
def test_frames_of_the_border_can_be_groups_of_their_own(
    options, border, num_frames
):
    x = torch.rand(3, 6, num_frames, 2, 2)
    x[0] = x[0, :, :1]  # a still clip
    options = dict(options, embedding='identity', border=border, num_bins=3)
    merged, apart = SGS(6, **options), SGS(6, border_groups=True, **options)
    merged(x)
    maps, lengths = apart(x)
    assert torch.equal(merged.magnitude, apart.magnitude)
    border = min(border, (num_frames - 1) // 2)
    ends = [*range(border), *range(num_frames - border, num_frames)]
    index = apart.groups.index
    for clip in range(len(x)):
        for frame in ends:
            assert (index[clip] == index[clip, frame]).sum() == 1
            if 'kernel' not in options:
                own = maps[0, :, index[clip, frame]]
                assert torch.equal(own, x[clip, :, frame])
        inner = slice(border, num_frames - border)
        together = merged.groups.index[clip, inner]
        same = together[:, None] == together
        together = index[clip, inner]
        assert torch.equal(together[:, None] == together, same)
    assert lengths[0] == 2 * border + 1
    # The first frames come first, the last ones last.
    if options.get('similarity') == 'path':
        assert (index.diff(dim=1) >= 0).all()


def test_zero_padding_does_not_pass_for_motion():
    torch.manual_seed(0)
    x = torch.ones(1, 3, 12, 8, 8)
    x[:, :, 5:7, :4] = 2.0
    conv = torch.nn.Conv3d(3, 3, (3, 1, 1), padding=(1, 0, 0))
    with torch.no_grad():
        x = conv(x)
    groups = {}
    for border in (0, 1):
        sgs = SGS(3, similarity='path', embedding='identity', border=border)
        sgs(x)
        groups[border] = sgs.groups.index[0].tolist()
    assert groups[0][0] != groups[0][1] and groups[0][-1] != groups[0][-2]
    assert groups[1][0] == groups[1][3] and groups[1][-1] == groups[1][-4]


def test_without_gradient_to_the_magnitudes_x_gets_that_of_the_means():
    options = dict(similarity='path', embedding='identity', num_bins=3)
    grads = {}
    for magnitude_grad in (True, False):
        x = torch.rand(
            2, 3, 6, 4, 4, generator=torch.manual_seed(0)
        ).requires_grad_()
        sgs = SGS(3, magnitude_grad=magnitude_grad, **options)
        maps, _ = sgs(x)
        maps.square().sum().backward()
        grads[magnitude_grad] = x.grad
    mean = merge_frames(x.detach(), sgs.groups)[0].transpose(0, 1)
    weight = sgs.groups.weight[:, None, :, None, None]
    expected = 2 * weight * mean[sgs.groups.index].transpose(1, 2)
    torch.testing.assert_close(grads[False], expected)
    assert not grads[True].allclose(grads[False])


def test_no_gradient_flows_back_from_what_is_kept_for_inspection():
    sgs = SGS(6)
    sgs(torch.rand(2, 6, 8, 3, 3))
    assert not sgs.groups.weight.requires_grad
    assert not sgs.magnitude.requires_grad
    copy.deepcopy(sgs)


def test_similarity_and_binning_can_be_any_function():
    sgs = SGS(6, similarity=lambda z: z[..., 0].abs())
    x = torch.rand(2, 6, 8, 3, 3)
    assert sgs(x)[1].shape == (2,)
    sgs.binning = lambda magnitude: SGS(6, num_bins=1).binning(magnitude)
    assert sgs(x)[1].tolist() == [1, 1]
    repr(sgs)


@pytest.mark.parametrize(
    'options,match',
    [
        (dict(kernel='foo'), r"kernel='foo'.*'delta', 'linear'"),
        (dict(order='foo'), r"order='foo'.*'magnitude', 'time'"),
        (
            dict(similarity='foo'),
            r"similarity='foo'.*'cosine', 'l1', 'l2', 'norm', 'path'",
        ),
        (dict(embedding='foo'), r"embedding='foo'.*'mlp_bn', 'identity'"),
        (dict(grid=0), 'grid=0 must be a positive integer'),
        (dict(border=-1), 'border=-1 must be a non-negative integer'),
        (dict(border_groups=True), 'no effect with border=0'),
        (dict(grid=None), 'grid=None must be a positive integer'),
        (
            dict(magnitude_grad=False),
            "embedding='mlp_bn' without a gradient.*embedding='identity'",
        ),
        (
            dict(embedding='identity', similarity_channels=8),
            "similarity_channels=8 has no effect with embedding='identity'",
        ),
        (dict(bin_range='foo'), r"bin_range='foo'.*'clip', 'data'"),
        (dict(num_bins=0), 'num_bins=0 must be a positive integer'),
        (dict(num_bins=2.5), 'num_bins=2.5 must be a positive integer'),
        (dict(similarity_channels=-1), 'similarity_channels=-1'),
        (dict(num_bins=True), 'num_bins=True must be a positive integer'),
        (dict(border=True), 'border=True must be a non-negative integer'),
        (dict(normalize=5), 'normalize=5 must be True or False, or None'),
        (dict(contiguous=1), 'contiguous=1 must be True or False'),
        (
            dict(embedding='identity', magnitude_grad='no'),
            "magnitude_grad='no' must be True or False",
        ),
        (dict(border=1, border_groups='yes'), "border_groups='yes' must be"),
        (dict(similarity=['l2']), r"similarity=\['l2'\] is unknown"),
    ],
)
def test_bad_options_are_named(options, match):
    with pytest.raises(ValueError, match=match):
        SGS(6, **options)


def test_a_grid_that_a_clip_is_too_small_for_is_named():
    with pytest.raises(ValueError, match=r'grid=4 .*3x5 .*at most'):
        SGS(6, grid=4)(torch.rand(2, 6, 8, 3, 5))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r'C=6.*\(2, 5, 8, 3, 3\)'):
        SGS(6)(torch.rand(2, 5, 8, 3, 3))
