"""Parts of a network that run clips one by one, or run twice."""

from typing import Dict

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from .layout import Layout, Layouts, frame_axis, pack

__all__ = ['RaggedCheckpoint', 'RaggedStage', 'describe_refusals']


def describe_refusals(refusals: Dict[str, str]) -> str:
    """Puts the reasons by module name into words."""
    return '; '.join(f'`{path}` {why}' for path, why in refusals.items())


class RaggedStage:
    """Mixin: a stage that can run each clip alone.

    Batch normalisation in training needs the frames of all clips at once; a
    stage that holds one in training mode runs packed.

    Attributes:
        layouts (Layouts): Shared by the ragged modules of a network.
        refusals (dict[str, str]): Why the stage cannot run packed.
    """

    layouts: Layouts
    refusals: Dict[str, str]

    def forward(self, x: Tensor) -> Tensor:
        """Runs the clips of a packed tensor."""
        layout = self.layouts.of(x)
        sequential = self.layouts.sequential
        if sequential and self.training and _normalizes_batches(self):
            if self.refusals:
                raise RuntimeError(
                    'batch normalisation in training mode needs all clips at '
                    'once, but this stage can only run clip by clip: '
                    f'{describe_refusals(self.refusals)}. Freeze the '
                    'normalisation (norm_eval=True), or remove the module'
                )
            sequential = False
        if layout is None or not sequential:
            return super().forward(x)
        clips, axis, start = [], frame_axis(x), 0
        for length in layout.lengths:
            # A 2D module takes the frames of all clips along one axis and is
            # told how many make one.
            alone = None if axis == 2 else Layout([length])
            with self.layouts.alone(alone):
                clips.append(super().forward(x.narrow(axis, start, length)))
            start += length
        x, layout = pack(clips)
        self.layouts.add(layout)
        return x


def _normalizes_batches(module: nn.Module) -> bool:
    return any(
        isinstance(m, _BatchNorm) and m.training for m in module.modules()
    )


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
