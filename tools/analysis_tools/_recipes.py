"""The rows of the tables of ``compare_recipes.py``."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from torch import nn

from mmatfr.sgs import (
    equal_groups,
    pool_frames,
    random_groups,
    sgs_layers,
    stride_frames,
)

__all__ = ['MODELS', 'ROWS', 'TABLES', 'Row', 'spread_frames']

_CONFIGS = Path(__file__).parents[2] / 'configs/recognition'


@dataclass(frozen=True)
class Model:
    """A recognizer that is compared.

    Attributes:
        full (str): Name of its config without sampling.
        recipe (str): Name of its config with sampling.
    """

    full: str
    recipe: str

    def full_config(self) -> Config:
        """Reads the config without sampling.

        Returns:
            Config: In the class and the memory layout that the recipe has on
            this device, so that what rows differ in is sampling alone.
        """
        cfg = Config.fromfile(_CONFIGS / self.full)
        cfg.model.backbone.update(
            type=self.recipe_config().model.backbone.type,
            channels_last=get_device() == 'cpu',
        )
        return cfg

    def recipe_config(self) -> Config:
        """Reads the config with sampling."""
        return Config.fromfile(_CONFIGS / self.recipe)


MODELS = {
    'resnet3d': Model(
        'resnet3d/resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb.py',
        'resnet3d/'
        'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py',
    ),
    'x3d': Model(
        'x3d/x3d_xxs_1xb12-16x2x1-24e_tempo-small-rgb.py',
        'x3d/x3d_xxs-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py',
    ),
    'slowfast': Model(
        'slowfast/slowfast-mini_1xb12-16x2x1-24e_tempo-small-rgb.py',
        'slowfast/slowfast-mini-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py',
    ),
    'x3d-32': Model(
        'x3d/x3d_xxs_1xb12-16x2x1-24e_tempo-small-rgb.py',
        'x3d/x3d_xxs-atfr-path_1xb12-32x1x1-8e_tempo-small-rgb.py',
    ),
    'slowfast-32': Model(
        'slowfast/slowfast-mini-dense_1xb12-16x2x1-24e_tempo-small-rgb.py',
        'slowfast/'
        'slowfast-mini-dense-atfr-path_1xb12-32x1x1-8e_tempo-small-rgb.py',
    ),
    'tsm': Model(
        'tsm/tsm-r18_1xb12-16x2x1-8e_tempo-small-rgb.py',
        'tsm/tsm-r18-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py',
    ),
}


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


# To be compared with the path in one number of bins throughout.
_variant = partial(Row, random_bins=False)
_LEARNED = dict(embedding='mlp_bn', magnitude_grad=True)
_PREDICTED = dict(similarity='learned_path', bin_range='clip', num_bins=16)
_EQUAL = (6, 8, 9, 10, 12)
_BINS = (4, 6, 8, 9, 10, 12, 13, 14, 16, 20, 24, 32, 48)

ROWS = {
    # The evidence.
    'full': Row('full', sgs=None),
    'pool2': Row('average pool 2', binning=partial(pool_frames, size=2)),
    'pool4': Row('average pool 4', binning=partial(pool_frames, size=4)),
    'stride2': Row('stride 2', binning=partial(stride_frames, step=2)),
    'stride4': Row('stride 4', binning=partial(stride_frames, step=4)),
    'random': Row(
        'random groups, 8 on average',
        binning=partial(random_groups, resolution=0.5),
    ),
    'paper': Row(
        "ATFR, the paper's setting", sgs=dict(_delete_=True, preset='paper')
    ),
    'authors': Row(
        "ATFR, the authors' setting",
        sgs=dict(_delete_=True, preset='authors'),
    ),
    # Twice the frames at the cost of the recipe.
    'pool5_of32': Row(
        '32 frames, average pool 5',
        binning=partial(pool_frames, size=5),
        num_frames=32,
    ),
    'path_of32': _variant(
        '32 frames, path sampling with 5 bins',
        sgs=dict(num_bins=5),
        num_frames=32,
    ),
    'path': Row('ATFR, path sampling (ours)'),
    **{
        f'equal{length}': Row(
            f'{length} equal groups',
            binning=partial(equal_groups, length=length),
        )
        for length in _EQUAL
    },
    # Over steps that a head predicts, fitted before the training.
    'learned_path': Row(
        'learned path',
        sgs=_PREDICTED,
        hooks=(dict(type='FitSimilarityHook'),),
    ),
    # From the paper's setting to the recipe, and away from it.
    'time': Row('paper, order of time', sgs=dict(_delete_=True, order='time')),
    'neighbours': Row(
        'l2, order of time, neighbours only',
        sgs=dict(
            _delete_=True, similarity='l2', order='time', contiguous=True
        ),
    ),
    'relative': _variant(
        "path, bins of the clip's own range", sgs=dict(bin_range='clip')
    ),
    'absolute': _variant(
        'path, bins of one width for all clips', sgs=dict(bin_range='data')
    ),
    'learned': _variant(
        'path of the learned 8 dimensions, grid 1',
        sgs=dict(_LEARNED, grid=1),
    ),
    'learned_grid': _variant('path of the learned 8 dimensions', sgs=_LEARNED),
    'grid1': _variant('path, grid 1 (global average)', sgs=dict(grid=1)),
    'grid4': _variant('path, grid 4', sgs=dict(grid=4)),
    'gradient': _variant(
        'path, with a gradient to the magnitudes',
        sgs=dict(magnitude_grad=True),
    ),
    'squared': _variant(
        'path of squared steps', sgs=dict(similarity='path_squared')
    ),
    'linear': _variant('path, linear kernel', sgs=dict(kernel='linear')),
    'linear_normalized': _variant(
        'path, linear kernel, divided by the number of frames',
        sgs=dict(kernel='linear', normalize=True),
    ),
    'stage1': _variant('path, after stage 1', sgs=dict(stage=1)),
    'stage2': _variant('path, after stage 2', sgs=dict(stage=2)),
    'learned_dims2': _variant(
        'path of 2 learned dimensions, grid 1',
        sgs=dict(_LEARNED, grid=1, similarity_channels=2),
    ),
    'learned_dims32': _variant(
        'path of 32 learned dimensions, grid 1',
        sgs=dict(_LEARNED, grid=1, similarity_channels=32),
    ),
    'learned_mlp': _variant(
        'path of 8 learned dimensions without BN, grid 1',
        sgs=dict(embedding='mlp', magnitude_grad=True, grid=1),
    ),
    'fixed_bins': _variant('path, one number of bins throughout'),
    'trained_bins8': _variant('path, 8 bins', sgs=dict(num_bins=8)),
    'trained_bins16': _variant('path, 16 bins', sgs=dict(num_bins=16)),
    'lr_half': _variant('path, half the learning rate', lr_factor=0.5),
    'lr_twice': _variant('path, twice the learning rate', lr_factor=2.0),
    'paper_lr_tenth': Row(
        "the paper's setting, a tenth of the learning rate",
        sgs=dict(_delete_=True, preset='paper'),
        lr_factor=0.1,
    ),
    # From scratch, as long as the network that the others start from.
    'scratch_path': Row(
        'from scratch, path sampling (ours)', from_scratch=True
    ),
    'scratch_pool2': Row(
        'from scratch, average pool 2',
        binning=partial(pool_frames, size=2),
        from_scratch=True,
    ),
    'scratch_paper': Row(
        "from scratch, the paper's setting",
        sgs=dict(_delete_=True, preset='paper'),
        from_scratch=True,
    ),
    'scratch_authors': Row(
        "from scratch, the authors' setting",
        sgs=dict(_delete_=True, preset='authors'),
        from_scratch=True,
    ),
    'full32': Row('full, 32 frames', sgs=None, num_frames=32),
    'path32': _variant('path, 32 frames', num_frames=32),
    'full64': Row('full, 64 frames', sgs=None, num_frames=64),
    'path64': _variant('path, 64 frames', num_frames=64),
    # One checkpoint, several budgets.
    **{
        f'path_bins{bins}': Row(
            f'path, {bins} bins when tested',
            sgs=dict(num_bins=bins),
            weights_of='path',
        )
        for bins in _BINS
    },
    **{
        f'learned_path_bins{bins}': Row(
            f'learned path, {bins} bins when tested',
            sgs={**_PREDICTED, 'num_bins': bins},
            weights_of='learned_path',
        )
        for bins in _BINS
    },
    'fixed_bins8': Row(
        'path, one number of bins throughout, 8 when tested',
        sgs=dict(num_bins=8),
        weights_of='fixed_bins',
    ),
    'path_frames32': Row(
        'path, 32 frames when tested', num_frames=32, weights_of='path'
    ),
    'path_frames32_bins5': Row(
        'path, 32 frames and 5 bins when tested',
        sgs=dict(num_bins=5),
        num_frames=32,
        weights_of='path',
    ),
}
# On videos of the data set's own length.
_TRAINED = [
    name
    for name, row in ROWS.items()
    if row.weights_of is None and row.num_frames != 64
]
# Without training: in the network that all start from.
ROWS['base'] = Row('without sampling', sgs=None, weights_of='base')
ROWS.update(
    {
        f'inserted_{name}': replace(ROWS[name], weights_of='base')
        for name in (
            'path',
            'relative',
            'squared',
            'grid1',
            'grid4',
            'linear',
            'stage1',
            'stage2',
            'path32',
            'full32',
            'path64',
            'full64',
            'pool2',
            'pool4',
            *(f'equal{length}' for length in _EQUAL),
            'learned_path',
            'stride2',
            'random',
        )
    }
)
ROWS.update(
    {
        f'inserted_{name}_bins{bins}': replace(
            ROWS[f'{name}_bins{bins}'], weights_of=f'inserted_{name}'
        )
        for name in ('path', 'learned_path')
        for bins in _BINS
    }
)

TABLES = {
    'evidence': _TRAINED[: _TRAINED.index('path') + 1],
    'short': ['full', 'pool2', 'path'],
    'ablation': [
        'full',
        'pool2',
        'path',
        *_TRAINED[_TRAINED.index('path') + 1 :],
    ],
    'budget': [
        'full',
        'pool2',
        'pool4',
        *(f'path_bins{bins}' for bins in _BINS),
        'path_frames32',
        'path_frames32_bins5',
        *(f'inserted_path_bins{bins}' for bins in _BINS),
    ],
    'insertion': [
        'base',
        *(
            name
            for name, row in ROWS.items()
            if name.startswith('inserted_') and row.num_frames != 64
        ),
    ],
    # For --world: equal groups, path and learned path, at several costs.
    'world': [
        'base',
        *(f'inserted_{name}' for name in ('pool4', 'pool2', 'random')),
        *(f'inserted_equal{length}' for length in _EQUAL),
        *(
            f'inserted_{name}_bins{bins}'
            for name in ('path', 'learned_path')
            for bins in (6, 8, 12, 16, 24)
        ),
    ],
    # With --video-frames 64.
    'frames': ['full', 'fixed_bins', 'full32', 'path32', 'full64', 'path64'],
}
