"""Activation checkpointing on clips of unequal length."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .route import current_run, resume_run

__all__ = ['RaggedCheckpoint']


class RaggedCheckpoint(nn.Module):
    """Mixin: a block under activation checkpointing (``with_cp``).

    Its second forward runs during backward, after the forward has ended, and
    possibly in another thread. The block therefore keeps the record of the
    forward.
    """

    with_cp: bool

    @torch.compiler.disable
    def forward(self, x: Tensor) -> Tensor:
        """Runs the block, and a second time in backward."""
        block = super().forward
        if not torch.is_grad_enabled():
            return block(x)
        run = replace(current_run(), checkpointed=True)

        def resume(x: Tensor) -> Tensor:
            with resume_run(run):
                return block(x)

        return checkpoint(resume, x, use_reentrant=False)
