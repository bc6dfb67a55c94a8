"""A row of a table: a change of a recipe, and its config."""

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Optional, Tuple

from mmengine.config import Config, ConfigDict
from torch import nn

from mmatfr.sgs import sgs_layers

from .models import Model

__all__ = ['Row', 'spread_frames']


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        title (str): What it is called.
        sgs (dict, optional): What it changes in the options of the recipe's
            layer; with the key ``_delete_`` nothing but its place is kept.
            None stands for the network without sampling.
        binning (Callable, optional): What takes the place of the layer's
            binning.
        num_frames (int, optional): Number of frames of a clip, over the same
            stretch of the video.
        random_bins (bool): Whether it is trained with random numbers of bins,
            where it has any, as in the recipe.
        lr_factor (float): What the learning rate of the recipe is multiplied
            with.
        hooks (tuple[dict]): Hooks that its training has beside the recipe's.
        from_scratch (bool): Whether it is trained from scratch, by the
            schedule of the network that the other rows start from.
        weights_of (str, optional): The row whose weights are tested, 'base'
            for the trained network that all rows start from. None if it is
            trained itself.
    """

    title: str
    sgs: Optional[Dict[str, Any]] = field(default_factory=dict)
    binning: Optional[Callable] = None
    num_frames: Optional[int] = None
    random_bins: bool = True
    lr_factor: float = 1.0
    hooks: Tuple[dict, ...] = ()
    from_scratch: bool = False
    weights_of: Optional[str] = None

    def config(self, model: Model, span: Optional[int] = None) -> Config:
        """Makes the config of the row.

        Args:
            model (Model): The recognizer.
            span (int, optional): Number of frames of the video that a clip
                is taken from. Defaults to that of the recipe.

        Returns:
            Config: Schedule and data are those of the recipe, but for rows
            from scratch.
        """
        cfg = model.recipe_config()
        if self.from_scratch:
            full = model.full_config()
            for key in ('train_cfg', 'optim_wrapper', 'param_scheduler'):
                cfg[key] = full[key]
        if self.sgs is None:
            cfg.model = model.full_config().model
        else:
            sgs = cfg.model.backbone.sgs
            for name, path in (
                sgs.items() if 'stage' not in sgs else [(None, sgs)]
            ):
                changed = _change(path, self.sgs)
                if name is None:
                    cfg.model.backbone.sgs = changed
                else:
                    sgs[name] = changed
        spread_frames(cfg, self.num_frames, span)
        cfg.param_scheduler[0].eta_max *= self.lr_factor
        has_bins = self.sgs is not None and '_delete_' not in self.sgs
        if self.binning or not (has_bins and self.random_bins):
            cfg.custom_hooks = [
                hook
                for hook in cfg.custom_hooks
                if hook.type != 'RandomBinsHook'
            ]
        cfg.custom_hooks = [*cfg.custom_hooks, *self.hooks]
        return cfg

    def prepare(self, recognizer: nn.Module) -> None:
        """Gives the layers of a recognizer the binning of the row."""
        if self.binning is not None:
            for layer in sgs_layers(recognizer).values():
                layer.binning = self.binning


def spread_frames(
    cfg: Config, num_frames: Optional[int] = None, span: Optional[int] = None
) -> None:
    """Takes clips of another number of frames, or from a longer stretch.

    Args:
        cfg (Config): Changed in place.
        num_frames (int, optional): Number of frames of a clip.
        span (int, optional): Number of frames of the video that they are
            taken from, at equal distances.

    Raises:
        ValueError: If they cannot be at equal distances.
    """
    if num_frames is None and span is None:
        return
    for split in ('train', 'val', 'test'):
        sample = cfg[f'{split}_dataloader'].dataset.pipeline[1]
        stretch = span or sample.clip_len * sample.frame_interval
        sample.clip_len = num_frames or sample.clip_len
        sample.frame_interval, rest = divmod(stretch, sample.clip_len)
        if rest or not sample.frame_interval:
            raise ValueError(
                f'{sample.clip_len} frames at equal distances cannot be '
                f'taken from {stretch}: give videos of a multiple of that, '
                f'as with --video-frames {sample.clip_len}'
            )


def _change(sgs: ConfigDict, options: Dict[str, Any]) -> ConfigDict:
    if options.get('_delete_'):
        sgs = {'stage': sgs.stage}
    options = {k: v for k, v in options.items() if k != '_delete_'}
    return ConfigDict({**sgs, **options})
