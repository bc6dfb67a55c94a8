"""Learned similarity: the path over steps that a head predicts.

Change is not importance: with a moving camera, all steps of the path are about
equally long. Here a small head predicts from the features of neighbouring
frames how much the step between them matters. Path and bins stay the same.
This module does not contain the training of the head.
"""

import torch
from torch import Tensor, nn

from .similarity import accumulate_steps, find_steps

__all__ = ['LearnedPath']

# Upper bound of the logarithm of a step, against overflow. Fitted heads
# predict shares, which have logarithms below 0.
_MAX_LOG_STEP = 10.0


class LearnedPath(nn.Module):
    """Length of the path up to each frame, over predicted steps.

    ``Delta_t = sum_s<=t exp(f(Z_s - Z_(s-1), Z_(s+1) - Z_(s-2), ...))``: the
    head f sees the change on the grid from one frame to the next, and over
    three steps, where a steady motion adds up and camera shake does not. A
    convolution over time compares each step with its neighbours. As with
    :func:`path`, groups are contiguous and in the order of time, and a step
    between frames that are equal up to rounding has length 0.

    The head predicts the share of a step in the gains of a trained network
    from all steps of the clip; ``mmatfr.apis.sensitivity`` fits it. Before
    fitting, all steps are nearly equal.

    Args:
        in_channels (int): Number of channels C of the feature maps.
        grid (int): Number of cells G along each side of the grid.
        hidden_channels (int): Width of the head. Defaults to 16.

    Examples:
        >>> import torch
        >>> from mmatfr.sgs import LearnedPath
        >>> LearnedPath(in_channels=24, grid=7)(
        ...     torch.rand(2, 16, 24 * 7 * 7)).shape
        torch.Size([2, 16])
    """

    def __init__(
        self, in_channels: int, grid: int, hidden_channels: int = 16
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.grid = grid
        self.norm = nn.GroupNorm(1, in_channels)
        self.conv1 = nn.Conv2d(
            2 * in_channels, hidden_channels, kernel_size=3, padding=1
        )
        self.conv2 = nn.Conv2d(
            hidden_channels, hidden_channels, kernel_size=3, padding=1
        )
        self.conv_t = nn.Conv1d(
            2 * hidden_channels, hidden_channels, kernel_size=5, padding=2
        )
        self.fc = nn.Conv1d(hidden_channels, 1, kernel_size=1)
        self.relu = nn.ReLU()

    def forward(self, z: Tensor) -> Tensor:
        """Adds up the predicted steps.

        Args:
            z (Tensor): Features on the grid, (N, T, C G^2), as returned by
                :meth:`SGS.pool`.

        Returns:
            Tensor: Magnitudes, (N, T); the first is 0.
        """
        if z.shape[1] == 1:
            return z.new_zeros(z.shape[:2])
        moved = find_steps(z).detach().abs().amax(dim=-1) > 0
        log_steps = self.log_steps(z).clamp_max(_MAX_LOG_STEP)
        return accumulate_steps(log_steps.exp() * moved)

    def log_steps(self, z: Tensor) -> Tensor:
        """Predicts the logarithm of each step.

        Args:
            z (Tensor): Features on the grid, (N, T, C G^2), T at least 2.

        Returns:
            Tensor: (N, T - 1), of z's dtype.
        """
        num_clips, num_frames, _ = z.shape
        x = z.to(self.fc.weight.dtype).reshape(
            -1, self.in_channels, self.grid, self.grid
        )
        x = self.norm(x).unflatten(0, (num_clips, num_frames))
        # Change over three steps, with the ends repeated.
        wider = torch.cat([x[:, :1], x, x[:, -1:]], dim=1)
        x = torch.cat([x.diff(dim=1), wider[:, 3:] - wider[:, :-3]], dim=2)
        x = self.relu(self.conv1(x.flatten(0, 1)))
        x = self.relu(self.conv2(x))
        # Largest change anywhere, and mean change.
        x = torch.cat([x.amax(dim=(2, 3)), x.mean(dim=(2, 3))], dim=1)
        x = x.unflatten(0, (num_clips, num_frames - 1)).transpose(1, 2)
        x = self.fc(self.relu(self.conv_t(x)))
        return x.squeeze(1).to(z.dtype)
