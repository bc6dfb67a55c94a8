import pytest
import torch

from mmatfr.sgs import equal_groups, merge_frames


@pytest.mark.parametrize('num_frames', [1, 7, 16])
def test_groups_are_the_means_of_equal_stretches(num_frames):
    x = torch.rand(2, 3, num_frames, 1, 1, dtype=torch.float64)
    for length in range(1, num_frames + 1):
        groups = equal_groups(x[:, 0, :, 0, 0], length)
        assert groups.lengths.tolist() == [length, length]
        for clip, maps in zip(x, merge_frames(x, groups)[0].split(length, 1)):
            # The bounds of adaptive pooling without its overlap.
            bounds = [-(-g * num_frames // length) for g in range(length + 1)]
            for g, (start, end) in enumerate(zip(bounds, bounds[1:])):
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
        for clip, length in zip(x.split(1), (2, 7, 1))
    ]
    for ours, theirs in zip(maps, alone):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('length', [0, 8, [7, 8]])
def test_more_groups_than_frames(length):
    with pytest.raises(ValueError, match='from 1 to 7'):
        equal_groups(torch.rand(2, 7), length)
