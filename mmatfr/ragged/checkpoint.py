"""Activation checkpointing on clips of unequal length."""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .layout import Layouts

__all__ = ['RaggedCheckpoint']


class RaggedCheckpoint:
    """Mixin: a block under activation checkpointing (``with_cp``).

    Its second forward runs within backward, when the layouts of the forward
    pass are gone; so it keeps its own.

    Attributes:
        layouts (Layouts): Shared by the ragged modules of a network.
    """

    layouts: Layouts

    def forward(self, x: Tensor) -> Tensor:
        """Runs the block, and once more in backward."""
        run = super().forward
        if not torch.is_grad_enabled():
            return run(x)
        layout = self.layouts.of(x)
        if layout is None:
            return checkpoint(run, x, use_reentrant=False)

        def replay(x: Tensor) -> Tensor:
            with self.layouts.replay(layout):
                return run(x)

        return checkpoint(replay, x, use_reentrant=False)
