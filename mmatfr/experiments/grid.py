"""The comparison of recipes on GRID, on windows that hold the color."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from mmatfr.sgs import pool_frames, random_groups

from .comparison import Comparison
from .models import Model
from .report import Report, gflops, lengths, metric
from .row import Row

__all__ = ['REPORT', 'ROWS', 'GridComparison']

_PATH = 'resnet3d-mini-dense-atfr-path_1xb12-32x1x1-24e_grid-color-rgb'
_NETWORKS = {
    frames: Model(
        f'resnet3d-mini-dense_1xb12-{frames}x1x1-24e_grid-color-rgb', _PATH
    )
    for frames in (16, 32)
}
_LEARNED = dict(preset='learned', num_bins=32)

ROWS = {
    'base': Row(
        'without sampling, before fine-tuning', sgs=None, weights_of='base'
    ),
    'full': Row('full', sgs=None),
    'path': Row('path, 16 bins'),
    **{
        f'path_bins{bins}': Row(
            f'path, {bins} bins when tested',
            sgs=dict(num_bins=bins),
            weights_of='path',
        )
        for bins in (10, 12, 14, 18, 20, 24)
    },
    'pool2': Row('average pool 2', binning=partial(pool_frames, size=2)),
    'learned': Row(
        'learned path, 32 bins',
        sgs=_LEARNED,
        hooks=(dict(type='FitSimilarityHook'),),
    ),
    **{
        f'learned_bins{bins}': Row(
            f'learned path, {bins} bins when tested',
            sgs={**_LEARNED, 'num_bins': bins},
            weights_of='learned',
        )
        for bins in (16, 24, 40, 48, 64)
    },
    'random': Row(
        'random groups, 16 on average',
        binning=partial(random_groups, resolution=0.5),
    ),
}
REPORT = Report(
    rows=ROWS,
    columns={
        'seeds': lambda runs, full: str(len(runs)),
        'top-1 %': metric('acc/top1', 1, 100),
        "B', mean ± std": lengths,
        'density of the word': metric('density/word', 2),
        'GFLOPs': gflops,
    },
    curves={
        'path_bins': 'path sampling, other bins when tested',
        'learned_bins': 'learned path, other bins when tested',
    },
)


@dataclass(frozen=True, kw_only=True)
class GridComparison(Comparison):
    """Trainings on GRID.

    The base starts from one on windows of half as many frames, which is the
    same for all seeds.

    Attributes:
        data (str): Folder of the data set, with words.csv.
        frames (int): Number of frames of a window.
    """

    rows = ROWS
    data: str = 'data/grid'
    frames: int = 32
    work_dir: str = 'work_dirs/grid'

    @property
    def networks(self) -> Model:
        """Model: The configs without and with sampling."""
        return _NETWORKS[self.frames]

    def prepare_data(self) -> None:
        """Checks that the data set is there.

        Raises:
            FileNotFoundError: If it is not.
        """
        if not Path(self.data, 'words.csv').is_file():
            raise FileNotFoundError(
                f'{self.data!r} has no words.csv; make the data set as '
                'described in tools/data/grid/README.md, or give its folder '
                'with --data'
            )

    def use_data(self, cfg: Config) -> None:
        """Sets the data set of a config."""
        for split in ('train', 'val', 'test'):
            cfg[f'{split}_dataloader'].dataset.data_root = self.data

    def start_of_base(self, seed: int) -> Optional[str]:
        """Returns the weights of the base on shorter windows."""
        if self.frames == 16:
            return None
        return replace(self, frames=16).base_weights(seed=0)
