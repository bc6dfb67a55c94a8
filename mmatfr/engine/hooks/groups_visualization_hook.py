"""Figures of the groups of clips, drawn during validation."""

import math
from typing import Optional, Sequence

import torch
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from mmatfr.apis import first_view, unwrap
from mmatfr.sgs import check_integer
from mmatfr.visualization.figures import GroupsRecorder, draw_groups, to_image

from .temporal_resolution_hook import step_of_training

__all__ = ['GroupsVisualizationHook']


@HOOKS.register_module()
class GroupsVisualizationHook(Hook):
    """Draws which frames of a few clips were grouped.

    For the first view of the first validation videos it draws a film strip
    with groups and magnitudes. The figures are sent to every back end of the
    visualizer as ``groups_<number>`` in every epoch and show how groups change
    during training.

    Args:
        num_videos (int): Number of videos to draw. Defaults to 4.
        interval (int): Draws in every ``interval``-th validation of the
            training, starting with the first. Defaults to 1.

    Raises:
        ValueError: If a number is not a positive integer.
    """

    def __init__(self, num_videos: int = 4, interval: int = 1) -> None:
        check_integer('num_videos', num_videos)
        check_integer('interval', interval)
        self.num_videos = num_videos
        self.interval = interval
        self._drawn = 0
        self._recorder: Optional[GroupsRecorder] = None

    def before_run(self, runner) -> None:
        """Stops recording, if a run was interrupted."""
        if self._recorder is not None:
            self._recorder.__exit__()
            self._recorder = None

    def before_val_epoch(self, runner) -> None:
        """Resets the count of videos."""
        self._drawn = 0

    def before_val_iter(
        self, runner, batch_idx: int, data_batch: Optional[dict] = None
    ) -> None:
        """Starts to record groups, until there are enough videos."""
        if (
            _earlier_validations(runner) % self.interval
            or not is_main_process()
            or self._drawn == self.num_videos
        ):
            return
        recognizer = unwrap(runner.model)
        self._recorder = GroupsRecorder(recognizer).__enter__()

    def after_val_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[Sequence[ActionDataSample]] = None,
    ) -> None:
        """Draws the videos of a batch, until there are enough."""
        if self._recorder is None or data_batch is None:
            return
        recorder, self._recorder = self._recorder, None
        recorder.__exit__()
        if not recorder.layers:
            return
        recognizer = unwrap(runner.model)
        views = recorder.num_views // len(data_batch['inputs'])
        for place, inputs in enumerate(data_batch['inputs']):
            if self._drawn == self.num_videos:
                return
            clips = recorder.groups(
                place * views,
                first_view(recognizer, torch.as_tensor(inputs)),
            )
            runner.visualizer.add_image(
                f'groups_{self._drawn}',
                to_image(draw_groups(clips)),
                step=step_of_training(runner),
            )
            self._drawn += 1


def _earlier_validations(runner) -> int:
    """Counts the validations of a training before the current one.

    The count depends on the step alone, so that a resumed run continues it.
    It is 0 without training.
    """
    loop = runner._train_loop
    # The property would build the training loop.
    if isinstance(loop, (dict, type(None))):
        return 0
    by_iter = isinstance(loop, IterBasedTrainLoop)
    step = loop.iter if by_iter else loop.epoch
    # The last step validates, too.
    validations = math.ceil(step / loop.val_interval)
    skipped = (loop.val_begin - 1) // loop.val_interval
    return max(0, validations - skipped - 1)
