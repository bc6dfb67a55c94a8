from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from mmatfr.sgs import (
    equal_groups,
    merge_frames,
    pool_frames,
    random_groups,
    stride_frames,
)


@pytest.mark.parametrize('num_frames', [1, 7, 16])
def test_groups_are_the_means_of_equal_stretches(num_frames):
    x = torch.rand(2, 3, num_frames, 1, 1, dtype=torch.float64)
    for length in range(1, num_frames + 1):
        groups = equal_groups(x[:, 0, :, 0, 0], length)
        assert groups.lengths.tolist() == [length, length]
        for clip, maps in zip(
            x, merge_frames(x, groups)[0].split(length, 1), strict=True
        ):
            # The bounds of adaptive pooling without its overlap.
            bounds = [-(-g * num_frames // length) for g in range(length + 1)]
            for g, (start, end) in enumerate(pairwise(bounds)):
                torch.testing.assert_close(
                    maps[:, g], clip[:, start:end].mean(dim=1)
                )


def test_a_length_for_each_clip():
    x = torch.rand(3, 2, 7, 1, 1, dtype=torch.float64)
    groups = equal_groups(x[:, 0, :, 0, 0], [2, 7, 1])
    assert groups.lengths.tolist() == [2, 7, 1]
    maps = merge_frames(x, groups)[0].split([2, 7, 1], dim=1)
    alone = [
        merge_frames(clip, equal_groups(clip[:, 0, :, 0, 0], length))[0]
        for clip, length in zip(x.split(1), (2, 7, 1), strict=True)
    ]
    for ours, theirs in zip(maps, alone, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('length', [0, 8, [7, 8]])
def test_more_groups_than_frames(length):
    with pytest.raises(ValueError, match='from 1 to 7|positive integer'):
        equal_groups(torch.rand(2, 7), length)


@pytest.mark.parametrize(
    'control,options,match',
    [
        (equal_groups, dict(length='3'), "length='3' must be a positive"),
        (equal_groups, dict(length=2.5), 'length=2.5 must be a positive'),
        (equal_groups, dict(length=True), 'length=True must be a positive'),
        (equal_groups, dict(length=[1, 2, 3]), 'for each of 2 clips'),
        (pool_frames, dict(size=0), 'size=0 must be a positive integer'),
        (pool_frames, dict(size=1.5), 'size=1.5 must be a positive integer'),
        (stride_frames, dict(step=-1), 'step=-1 must be a positive integer'),
        (random_groups, dict(resolution='a'), "resolution='a' must be from"),
        (random_groups, dict(resolution=float('nan')), 'resolution=nan must'),
    ],
)
def test_options_that_mean_nothing_are_named(control, options, match):
    with pytest.raises(ValueError, match=match):
        control(torch.rand(2, 7), **options)


@pytest.mark.parametrize('size', [1, 2, 3, 4, 8])
def test_pooling_is_that_of_torch(size):
    x = torch.rand(2, 3, 8, 2, 2, dtype=torch.float64)
    groups = pool_frames(x[:, 0, :, 0, 0], size)
    assert groups.lengths.tolist() == [-(-8 // size)] * 2
    pooled = F.avg_pool3d(x, (size, 1, 1), ceil_mode=True)
    torch.testing.assert_close(
        merge_frames(x, groups), torch.cat([*pooled], dim=1)[None]
    )


@pytest.mark.parametrize('step', [1, 2, 3, 9])
def test_a_stride_keeps_the_first_of_every_few(step):
    x = torch.rand(2, 3, 8, 2, 2, dtype=torch.float64)
    groups = stride_frames(x[:, 0, :, 0, 0], step)
    torch.testing.assert_close(
        merge_frames(x, groups), torch.cat([*x[:, :, ::step]], dim=1)[None]
    )


@pytest.mark.parametrize('resolution', [1 / 16, 0.5, 1.0])
def test_random_groups_have_the_mean_resolution(resolution):
    torch.manual_seed(0)
    magnitude = torch.rand(2000, 16)
    groups = random_groups(magnitude, resolution)
    lengths = groups.lengths.double()
    # Binomial: the mean of 2000 clips has a deviation of at most 0.05.
    assert abs(lengths.mean() - 16 * resolution) < 0.2
    assert (lengths.std() > 1) == (resolution == 0.5)
    assert (groups.index.diff(dim=1) >= 0).all()
    mean = merge_frames(torch.ones(2000, 1, 16, 1, 1), groups)
    torch.testing.assert_close(mean, torch.ones_like(mean))


@pytest.mark.parametrize('resolution', [0.0, 0.1, 1.1])
def test_no_clip_has_such_a_resolution(resolution):
    with pytest.raises(ValueError, match='from 1/8 to 1'):
        random_groups(torch.rand(2, 8), resolution)
