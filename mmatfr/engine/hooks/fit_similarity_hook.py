"""Fits the heads that predict steps before training continues."""

from itertools import islice

from mmaction.registry import HOOKS
from mmengine.dist import broadcast
from mmengine.hooks import Hook

from mmatfr.apis import unwrap
from mmatfr.apis.sensitivity import (
    FIT_BATCHES,
    fit_similarity,
    learned_similarities,
)
from mmatfr.sgs import check_integer

__all__ = ['FitSimilarityHook']


@HOOKS.register_module()
class FitSimilarityHook(Hook):
    """Fits the heads of ``similarity='learned_path'`` before training.

    The run has to start from the weights of a trained network, because the
    heads learn its gains from the steps between frames, see
    :func:`mmatfr.apis.sensitivity.fit_similarity`. A resumed run keeps its
    heads.

    Args:
        num_batches (int): Number of training batches to use. Defaults to 100.
        epochs (int): Number of passes of the heads over their steps. Defaults
            to 48.

    Raises:
        ValueError: If a number is not a positive integer, or, before the first
            iteration, if no layer has such a head.
    """

    def __init__(
        self, num_batches: int = FIT_BATCHES, epochs: int = 48
    ) -> None:
        check_integer('num_batches', num_batches)
        check_integer('epochs', epochs)
        self.num_batches = num_batches
        self.epochs = epochs

    def before_train(self, runner) -> None:
        """Fits the heads, unless the run is resumed."""
        if runner.iter > 0:
            return
        model = unwrap(runner.model)
        explained = fit_similarity(
            model,
            islice(runner.train_dataloader, self.num_batches),
            epochs=self.epochs,
        )
        for name, layer in learned_similarities(model).items():
            for parameter in layer.parameters():
                broadcast(parameter.data)  # one head for all processes
            runner.logger.info(
                f'{name}: the head explains {100 * explained[name]:.0f} % of '
                'the differences between the steps of the training clips'
            )
