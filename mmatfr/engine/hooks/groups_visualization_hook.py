"""Figures of what sampling does to clips, during validation."""

from typing import Optional, Sequence

import torch
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmatfr.analysis import sgs_layers
from mmatfr.analysis.figures import draw_groups, groups_of_layers, to_image
from mmatfr.analysis.recognizers import first_view

__all__ = ['GroupsVisualizationHook']


@HOOKS.register_module()
class GroupsVisualizationHook(Hook):
    """Draws which frames of a few clips were grouped.

    The film strip of the first view of the first videos of the validation set,
    their groups and magnitudes go to every back end of the visualizer as
    ``groups_<number>``, by epoch: how the groups of a clip change as the
    network learns.

    Args:
        num_videos (int): Number of videos that are drawn. Defaults to 4.
        interval (int): Number of validations from one drawing to the next.
            Defaults to 1.

    Raises:
        ValueError: If a number is not positive.
    """

    def __init__(self, num_videos: int = 4, interval: int = 1) -> None:
        for name, value in (
            ('num_videos', num_videos),
            ('interval', interval),
        ):
            if value < 1:
                raise ValueError(f'{name}={value!r} must be positive')
        self.num_videos = num_videos
        self.interval = interval
        self._validations = 0
        self._drawn = 0

    def before_val_epoch(self, runner) -> None:
        """Begins anew."""
        self._drawn = 0
        self._validations += 1

    def after_val_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[Sequence[ActionDataSample]] = None,
    ) -> None:
        """Draws the videos of a batch, until there are enough."""
        if (self._validations - 1) % self.interval or not is_main_process():
            return
        recognizer = (
            runner.model.module
            if is_model_wrapper(runner.model)
            else runner.model
        )
        layers = sgs_layers(recognizer)
        if not layers:
            return
        groups = next(iter(layers.values())).groups
        views = len(groups.lengths) // len(outputs)
        trains = not isinstance(runner._train_loop, (dict, type(None)))
        for place, inputs in enumerate(data_batch['inputs']):
            if self._drawn == self.num_videos:
                return
            clips = groups_of_layers(
                recognizer,
                first_view(recognizer, torch.as_tensor(inputs)),
                index=place * views,
            )
            runner.visualizer.add_image(
                f'groups_{self._drawn}',
                to_image(draw_groups(clips)),
                step=runner.epoch if trains else 0,
            )
            self._drawn += 1
