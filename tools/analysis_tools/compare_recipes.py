"""Compares ways to spend fewer frames on tempo: makes one table.

Every row is trained from scratch with the same schedule on the same videos,
once for each seed, and tested on the test split; rows that only change how a
trained network is run take the weights of another row. What is done already
is not done again, so that an interrupted run goes on with the same command.
"""

import argparse
import json
import os
import platform
import statistics
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

import mmatfr  # noqa: F401
from mmatfr.datasets.tempo import SIZES, get_size, write_tempo
from mmatfr.sgs import equal_groups

_CONFIGS = Path(__file__).parents[2] / 'configs/recognition/resnet3d'
_FULL = 'resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb.py'
_PAPER = 'resnet3d-mini-dense-atfr_1xb12-16x2x1-12e_tempo-small-rgb.py'
_PATH = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-12e_tempo-small-rgb.py'


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        title (str): What it is called.
        config (str): Name of its config.
        options (dict): What it changes in the config.
        equal_groups (int, optional): Number of equal groups that every clip
            gets instead of similar ones.
        weights_of (str, optional): The row whose weights are tested. None if
            it is trained itself.
    """

    title: str
    config: str
    options: Dict[str, Any] = field(default_factory=dict)
    equal_groups: Optional[int] = None
    weights_of: Optional[str] = None


def _sgs(**options) -> Dict[str, Any]:
    return {f'model.backbone.sgs.{key}': v for key, v in options.items()}


def _every_other_frame() -> Dict[str, Any]:
    """Half of the frames, twice as far apart."""
    return {
        f'{split}_dataloader.dataset.pipeline.1.{key}': value
        for split in ('train', 'val', 'test')
        for key, value in (('clip_len', 8), ('frame_interval', 4))
    }


ROWS = {
    'full': Row('all 16 frames', _FULL),
    'pool': Row('average pool 2: 8 equal groups', _PATH, equal_groups=8),
    'equal7': Row('7 equal groups', _PATH, equal_groups=7),
    'stride': Row('every other frame', _FULL, _every_other_frame()),
    'paper': Row("ATFR, the paper's formula", _PAPER),
    'authors': Row(
        "ATFR, the authors' code",
        _PAPER,
        _sgs(similarity='l2', kernel='linear'),
    ),
    'time': Row(
        'ATFR, l2, neighbours in order of time',
        _PAPER,
        _sgs(similarity='l2', order='time', contiguous=True),
    ),
    'path': Row('ATFR, path', _PATH),
    'inserted': Row(
        'ATFR, path, put into `all 16 frames`', _PATH, weights_of='full'
    ),
    **{
        f'bins{bins}': Row(
            f'ATFR, path, {bins} bins when tested',
            _PATH,
            _sgs(num_bins=bins),
            weights_of='path',
        )
        for bins in (6, 8, 10, 12, 24)
    },
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--rows', nargs='+', choices=list(ROWS), default=list(ROWS)
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--data',
        default='data/tempo/small',
        help='folder of the data set; generated if missing '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--size',
        choices=list(SIZES),
        default='small',
        help='of the data set (default: %(default)s)',
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/compare_recipes',
        help='folder of the trainings and of the table (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs', type=int, help='instead of that of the configs'
    )
    return parser.parse_args()


def run_row(name: str, seed: int, args: argparse.Namespace) -> Dict[str, Any]:
    """Trains and tests a row with one seed.

    Args:
        name (str): Key of ``ROWS``.
        seed (int): Seed of the training.
        args (argparse.Namespace): Arguments of the command.

    Returns:
        dict: The metrics on the test split.
    """
    row = ROWS[name]
    folder = Path(args.work_dir) / f'{name}_seed{seed}'
    result = folder / 'metrics.json'
    if result.is_file():
        return json.loads(result.read_text(encoding='utf-8'))
    cfg = Config.fromfile(_CONFIGS / row.config)
    cfg.merge_from_dict(row.options)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{name}_seed{seed}'
    cfg.randomness = dict(seed=seed)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.data_root = args.data
        dataset.metainfo.classes = f'{args.data}/classes.txt'
    if args.epochs is not None:
        cfg.train_cfg.max_epochs = args.epochs
        cfg.param_scheduler[0].total_steps = args.epochs
    trained = folder
    if row.weights_of:
        run_row(row.weights_of, seed, args)
        trained = Path(args.work_dir) / f'{row.weights_of}_seed{seed}'
        cfg.load_from = (trained / 'last_checkpoint').read_text().strip()
    else:
        cfg.resume = (folder / 'last_checkpoint').is_file()
    runner = Runner.from_cfg(cfg)
    if row.equal_groups:
        runner.model.backbone.sgs.binning = partial(
            equal_groups, length=row.equal_groups
        )
    if not row.weights_of:
        runner.train()
    metrics = {key: float(value) for key, value in runner.test().items()}
    result.write_text(json.dumps(metrics, indent=2) + '\n', encoding='utf-8')
    return metrics


def _over_seeds(values: Sequence[float], digits: int) -> str:
    """Mean and, of several, the least and the greatest."""
    text = f'{statistics.mean(values):.{digits}f}'
    if len(values) > 1:
        text += f' [{min(values):.{digits}f}, {max(values):.{digits}f}]'
    return text


def make_table(results: Dict[str, List[Dict[str, float]]]) -> Table:
    """Lays the results of all rows out.

    Args:
        results (dict): For each row the metrics of each seed.

    Returns:
        Table: In Markdown.
    """
    table = Table(box=MARKDOWN)
    for column in (
        'model',
        'top-1 %',
        'short %',
        'long %',
        "B', mean ± std",
        "B' range",
        'Spearman',
        'GFLOPs',
        'seeds',
    ):
        table.add_column(
            column,
            justify='left' if column == 'model' else 'right',
            no_wrap=True,
        )
    for name, runs in results.items():

        def over_seeds(key, digits, factor=1.0, runs=runs):
            return _over_seeds([factor * run[key] for run in runs], digits)

        mean, std = (
            statistics.mean(run[f'cost/length_{what}'] for run in runs)
            for what in ('mean', 'std')
        )
        least = min(run['cost/length_min'] for run in runs)
        most = max(run['cost/length_max'] for run in runs)
        table.add_row(
            ROWS[name].title,
            over_seeds('acc/top1', 1, 100),
            over_seeds('tempo/top1_short', 1, 100),
            over_seeds('tempo/top1_long', 1, 100),
            f'{mean:.1f} ± {std:.1f}',
            f'{least:.0f} to {most:.0f}',
            over_seeds('tempo/spearman', 2)
            if all('tempo/spearman' in run for run in runs)
            else '',
            f'{statistics.mean(r["cost/gflops_per_clip"] for r in runs):.4f}',
            str(len(runs)),
        )
    return table


def main() -> None:
    args = parse_args()
    for _ in write_tempo(args.data, get_size(args.size)) or ():
        pass
    results = {name: [] for name in args.rows}
    for seed in args.seeds:
        for name in args.rows:
            results[name].append(run_row(name, seed, args))
    machine = (
        f'{os.cpu_count()} CPU cores, {torch.get_num_threads()} threads, '
        f'Python {platform.python_version()}, torch {torch.__version__}'
    )
    table = make_table(results)
    path = Path(args.work_dir) / 'table.md'
    with open(path, 'w', encoding='utf-8') as file:
        Console(file=file, width=250).print(table)
    Console(width=250).print(table)
    print(f'{machine}\nwritten to {path}')


if __name__ == '__main__':
    main()
