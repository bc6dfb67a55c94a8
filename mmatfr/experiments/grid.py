"""The comparisons of recipes on GRID: the color in windows, and sentences."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from mmengine.config import Config

from mmatfr.integrity import sha256_of
from mmatfr.sgs import pool_frames, random_groups

from .comparison import Comparison
from .models import Model
from .report import Column, Report, gflops, lengths, metric
from .row import Row

__all__ = ['TASKS', 'GridComparison', 'Task']

_RESNET3D = 'resnet3d-mini-dense'
_TSM = 'tsm-r18'


def _make_rows(
    path_bins: int,
    other_path_bins: Sequence[int],
    learned_bins: int,
    other_learned_bins: Sequence[int],
    random: int,
    **fit: int,
) -> Dict[str, Row]:
    """Makes the rows of a task.

    Args:
        path_bins (int): Number of bins of the config of the path.
        other_path_bins (Sequence[int]): Numbers of bins to test.
        learned_bins (int): Number of bins of the config of the learned path.
        other_learned_bins (Sequence[int]): Numbers of bins to test.
        random (int): Mean number of random groups in the title.
        **fit: Arguments of ``FitSimilarityHook``.

    Returns:
        dict[str, Row]: The rows by name.
    """
    learned = dict(preset='learned', num_bins=learned_bins)
    return {
        'base': Row(
            'without sampling, before fine-tuning', sgs=None, weights_of='base'
        ),
        'full': Row('full', sgs=None),
        'path': Row(f'path, {path_bins} bins'),
        **{
            f'path_bins{bins}': Row(
                f'path, {bins} bins when tested',
                sgs=dict(num_bins=bins),
                weights_of='path',
            )
            for bins in other_path_bins
        },
        'pool2': Row('average pool 2', binning=partial(pool_frames, size=2)),
        'learned': Row(
            f'learned path, {learned_bins} bins',
            sgs=learned,
            hooks=(dict(type='FitSimilarityHook', **fit),),
        ),
        **{
            f'learned_bins{bins}': Row(
                f'learned path, {bins} bins when tested',
                sgs={**learned, 'num_bins': bins},
                weights_of='learned',
            )
            for bins in other_learned_bins
        },
        'random': Row(
            f'random groups, {random} on average',
            binning=partial(random_groups, resolution=0.5),
        ),
    }


def _make_report(
    rows: Mapping[str, Row], columns: Mapping[str, Column]
) -> Report:
    return Report(
        rows=rows,
        columns={
            'seeds': lambda runs, full: str(len(runs)),
            **columns,
            'GFLOPs': gflops,
        },
        curves={
            'path_bins': 'path sampling, other bins when tested',
            'learned_bins': 'learned path, other bins when tested',
        },
    )


def _color_networks(num_frames: int) -> Dict[str, Model]:
    return {
        key: Model(
            f'{name}_1xb12-{num_frames}x1x1-24e_grid-color-rgb',
            f'{name}-atfr-path_1xb12-32x1x1-24e_grid-color-rgb',
        )
        for key, name in (('resnet3d', _RESNET3D), ('tsm', _TSM))
    }


@dataclass(frozen=True)
class Task:
    """A task on GRID.

    Attributes:
        networks (dict[str, Model]): The configs without and with sampling of
            each recognizer.
        report (Report): The rows, and how to report them.
        start (str, optional): The base starts from that of this task, of seed
            0. None means from scratch.
        folder (str): Folder of the rows within that of the trainings.
    """

    networks: Dict[str, Model]
    report: Report
    start: Optional[str] = None
    folder: str = ''


_COLOR_REPORT = _make_report(
    _make_rows(
        path_bins=16,
        other_path_bins=(10, 12, 14, 18, 20, 24),
        learned_bins=32,
        other_learned_bins=(16, 24, 40, 48, 64),
        random=16,
    ),
    {
        'top-1 %': metric('acc/top1', 1, 100),
        "B', mean ± std": lengths,
        'density of the word': metric('density/word', 2),
    },
)
TASKS = {
    # The color in a window of 16 or of 32 frames.
    'color-16': Task(_color_networks(16), _COLOR_REPORT),
    'color': Task(_color_networks(32), _COLOR_REPORT, start='color-16'),
    # All six words of a video of 75 frames; the label is the color.
    'sentence': Task(
        {
            'resnet3d': Model(
                f'{_RESNET3D}_1xb12-75x1x1-36e_grid-sentence-rgb',
                f'{_RESNET3D}-atfr-path_1xb12-75x1x1-24e_grid-sentence-rgb',
            )
        },
        _make_report(
            _make_rows(
                path_bins=40,
                other_path_bins=(32, 36, 44, 48, 56),
                learned_bins=64,
                other_learned_bins=(48, 56, 72, 80, 96, 128),
                random=38,
                num_batches=20,
            ),
            {
                'color %': metric('acc/top1', 1, 100),
                'all words %': metric('tasks/mean', 1, 100),
                "B', mean ± std": lengths,
                'density, sentence : rest': metric(
                    'density/sentence_to_rest', 2
                ),
            },
        ),
        start='color-16',
        folder='sentence',
    ),
}


@dataclass(frozen=True, kw_only=True)
class GridComparison(Comparison):
    """Trainings on GRID.

    Attributes:
        data (str): Folder of the data set, with words.csv.
        task (str): Key of :data:`TASKS`.
        model (str): Key of the networks of the task.
    """

    data: str = 'data/grid'
    task: str = 'color'
    model: str = 'resnet3d'
    work_dir: str = 'work_dirs/grid'

    @property
    def rows(self) -> Mapping[str, Row]:
        """Mapping[str, Row]: The rows of the task."""
        return TASKS[self.task].report.rows

    @property
    def networks(self) -> Model:
        """Model: The configs without and with sampling."""
        return TASKS[self.task].networks[self.model]

    @property
    def rows_root(self) -> Path:
        """Path: Folder of the rows."""
        return self.root / TASKS[self.task].folder / self.model

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

    @property
    def train_data(self) -> Dict[str, Any]:
        """dict: The SHA-256 of words.csv; None before the data set is made."""
        words = Path(self.data, 'words.csv')
        return {words.name: sha256_of(str(words)) if words.is_file() else None}

    def start_of_base(self, seed: int) -> Optional[Tuple[Comparison, int]]:
        """Returns the base of the task to start from, of seed 0."""
        start = TASKS[self.task].start
        return None if start is None else (replace(self, task=start), 0)
