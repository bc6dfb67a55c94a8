"""Frames of packed tensors keep their memory format."""

import pytest
import torch
import torch.nn.functional as F

from mmatfr.ragged.frames import put_frames, take_frames

FRAMES = torch.tensor([0, 2, 3])


@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last_3d]
)
def test_torch_goes_on_in_the_format(memory_format):
    x = torch.rand(1, 4, 5, 6, 6).contiguous(memory_format=memory_format)
    taken = take_frames(x, FRAMES)
    put = put_frames(taken, FRAMES, num_frames=6)
    assert torch.equal(taken, x[:, :, FRAMES])
    assert torch.equal(put[:, :, FRAMES], taken)
    assert put[:, :, [1, 4, 5]].count_nonzero() == 0
    for maps in (taken, put):
        assert maps.is_contiguous(memory_format=memory_format)
        # By its strides a tensor of one clip can seem to be of either format;
        # torch then gives what it computes from it the one that is slow.
        y = F.conv3d(maps, torch.rand(4, 1, 3, 3, 3), groups=4)
        assert y.is_contiguous(memory_format=memory_format)
