"""A row of a table: a variation of a recipe."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple

from mmengine.config import Config, ConfigDict
from torch import nn

from mmatfr.sgs import SGS, sgs_layers

from .models import Model

__all__ = ['Row', 'spread_frames']


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        title (str): Title in the table.
        sgs (dict, optional): Options of the layer that differ from the recipe;
            with the key ``_delete_`` only the stage of the recipe is kept. A
            dict by the name of a pathway has options for its layer alone. None
            means the network without sampling.
        binning (Callable, optional): Replaces the binning of the layer; a
            function, or a ``partial`` of one.
        merging (Callable, optional): Changes how a layer merges the frames of
            its groups; takes the layer.
        num_frames (int, optional): Number of frames of a clip, over the same
            stretch of the video.
        random_bins (bool): Whether to train with random numbers of bins, as in
            the recipe, if the row has bins.
        lr_factor (float): Factor of the learning rate of the recipe.
        hooks (tuple[dict]): Additional hooks of the training.
        teacher (str, optional): Row whose network teaches this one, by
            :class:`mmatfr.engine.DistillationHook`.
        from_scratch (bool): Whether to train from scratch, with the schedule
            of the common base.
        weights_of (str, optional): Uses the weights of this row, or of the
            common base for 'base'. None if the row is trained.
    """

    title: str
    sgs: Optional[Dict[str, Any]] = field(default_factory=dict)
    binning: Optional[Callable] = None
    merging: Optional[Callable[[SGS], None]] = None
    num_frames: Optional[int] = None
    random_bins: bool = True
    lr_factor: float = 1.0
    hooks: Tuple[dict, ...] = ()
    teacher: Optional[str] = None
    from_scratch: bool = False
    weights_of: Optional[str] = None

    def config(self, model: Model, span: Optional[int] = None) -> Config:
        """Returns the config of the row.

        Args:
            model (Model): The recognizer.
            span (int, optional): Number of video frames that a clip spans.
                Defaults to that of the recipe.

        Returns:
            Config: The config, with schedule and data of the recipe except for
            rows from scratch.
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
                changed = _change(path, self.sgs, name)
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

    @property
    def grouping(self) -> Optional[str]:
        """str | None: Binning and merging as text, such as
        'pool_frames(size=2)'; None for those of the layer."""
        changes = [
            _describe(change)
            for change in (self.binning, self.merging)
            if change is not None
        ]
        return ', '.join(changes) or None

    def prepare(self, recognizer: nn.Module) -> None:
        """Sets binning and merging of the row in the layers of a
        recognizer."""
        for layer in sgs_layers(recognizer).values():
            if self.binning is not None:
                layer.binning = self.binning
            if self.merging is not None:
                self.merging(layer)


def spread_frames(
    cfg: Config, num_frames: Optional[int] = None, span: Optional[int] = None
) -> None:
    """Changes the number of frames of a clip, or the span in the video.

    Args:
        cfg (Config): The config, changed in place.
        num_frames (int, optional): Number of frames of a clip.
        span (int, optional): Number of video frames that they span, at equal
            distances.

    Raises:
        ValueError: If equal distances are not possible.
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
                f'taken from {stretch}: use videos with a multiple of that, '
                f'e.g. with --video-frames {sample.clip_len}'
            )


def _change(
    sgs: ConfigDict, options: Dict[str, Any], pathway: Optional[str]
) -> ConfigDict:
    if options.get('_delete_'):
        sgs = {'stage': sgs.stage}
    own = options.get(pathway, {}) if pathway else {}
    common = {
        key: value
        for key, value in options.items()
        if key != '_delete_' and not isinstance(value, dict)
    }
    return ConfigDict({**sgs, **common, **own})


def _describe(change: Callable) -> str:
    """Returns a function, or a ``partial`` of one, as text."""
    if not isinstance(change, partial):
        return getattr(change, '__qualname__', repr(change))
    options = change.keywords.items()
    given = [*map(repr, change.args)]
    given += [f'{name}={value!r}' for name, value in sorted(options)]
    return f'{change.func.__qualname__}({", ".join(given)})'
