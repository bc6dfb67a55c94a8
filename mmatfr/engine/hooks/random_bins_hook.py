"""Draws a new number of bins in every training iteration."""

import math
from numbers import Real
from typing import Dict

import numpy as np
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

from mmatfr.sgs import get_num_bins, set_num_bins

__all__ = ['RandomBinsHook']


@HOOKS.register_module()
class RandomBinsHook(Hook):
    """Trains for several budgets at once.

    Every training iteration draws a factor and multiplies the number of bins
    of all layers by it; validation and testing use the numbers of the config.
    The network adapts to coarser and finer groups, so the number of bins can
    be changed after training.

    This hook is not part of the paper. The draw depends only on the seed and
    the iteration, so a resumed run continues with the same numbers.

    Args:
        low (float): Smallest factor. Defaults to 0.5.
        high (float): Largest factor. Defaults to 1.5.

    Raises:
        ValueError: If not 0 < low <= high < inf, or, before the first
            iteration, if no layer samples or a layer has no number of bins.
    """

    def __init__(self, low: float = 0.5, high: float = 1.5) -> None:
        # For mypy a float is not a Real.
        if (
            not all(isinstance(x, (float, Real)) for x in (low, high))
            or not 0 < low <= high < math.inf
        ):
            raise ValueError(
                f'low={low!r} and high={high!r} must be numbers with '
                '0 < low <= high'
            )
        self.low = low
        self.high = high
        self._own: Dict[str, int] = {}
        # The last draw, while the model has it.
        self._drawn: Dict[str, int] = {}

    def before_run(self, runner) -> None:
        """Restores the numbers of the config, if a run was interrupted."""
        self._restore(runner)

    def before_train(self, runner) -> None:
        """Records the numbers of bins of the config."""
        own: Dict[str, int] = {}
        for name, num_bins in get_num_bins(runner.model).items():
            if num_bins is None:
                raise ValueError(
                    'RandomBinsHook multiplies the number of bins, and '
                    f'{name} has none; set num_bins in its sgs'
                )
            own[name] = num_bins
        self._own = own

    def before_train_iter(
        self, runner, batch_idx: int, data_batch=None
    ) -> None:
        """Draws the numbers of this iteration."""
        draw = np.random.default_rng((runner.seed, runner.iter))
        factor = draw.uniform(self.low, self.high)
        self._drawn = {
            name: max(1, round(factor * num_bins))
            for name, num_bins in self._own.items()
        }
        set_num_bins(runner.model, self._drawn)

    def before_val(self, runner) -> None:
        """Restores the numbers of the config."""
        self._restore(runner)

    def after_train(self, runner) -> None:
        """Restores the numbers of the config."""
        self._restore(runner)

    def _restore(self, runner) -> None:
        # Numbers that were set in between stay.
        if self._drawn and get_num_bins(runner.model) == self._drawn:
            set_num_bins(runner.model, self._own)
        self._drawn = {}
