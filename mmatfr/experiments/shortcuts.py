"""Trainings that show whether tempo can be solved without motion."""

import os
import time
from typing import Any, Dict, Optional

from mmengine.config import Config
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

from mmatfr.datasets import decode_once
from mmatfr.datasets.tempo import CLASSES
from mmatfr.zoo.models import config_path

__all__ = ['VIEWS', 'print_shortcuts', 'train_and_test']

# Input of the network, its config and the theoretical ceiling: the pose of one
# frame reveals nothing about the class, and a clip in random order is equally
# likely to be of a class and of its time reversal.
VIEWS = {
    'ordered': (
        '16 frames in order',
        'resnet3d-mini_1xb12-16x2x1-8e_tempo-small-rgb',
        1.0,
    ),
    'single': (
        '16 single frames, averaged',
        'resnet3d-mini_1xb12-1x1x16-8e_tempo-small-rgb',
        1 / len(CLASSES),
    ),
    'shuffled': (
        '16 frames in random order',
        'resnet3d-mini_1xb12-shuffled-16x2x1-8e_tempo-small-rgb',
        0.5,
    ),
}


def train_and_test(
    view: str,
    seed: int,
    data: str,
    work_dir: str,
    epochs: Optional[int] = None,
    once: bool = False,
) -> Dict[str, Any]:
    """Trains and tests one network.

    Args:
        view (str): Input of the network, a key of ``VIEWS``.
        seed (int): Seed of the training.
        data (str): Folder of the data set.
        work_dir (str): Folder of the logs.
        epochs (int, optional): Number of epochs. Defaults to None, that of
            the config.
        once (bool): Whether to keep the frames of the videos in files beside
            them. Defaults to False.

    Returns:
        dict: A row of the table, with ``top1`` in [0, 1] and ``seconds`` in
        total.
    """
    text, name, ceiling = VIEWS[view]
    cfg = Config.fromfile(config_path(name))
    cfg.work_dir = os.path.join(work_dir, f'{view}_seed{seed}')
    cfg.randomness = dict(seed=seed)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.data_root = data
        dataset.metainfo.classes = f'{data}/classes.txt'
    if once:
        decode_once(cfg)
    if epochs is not None:
        cfg.train_cfg.max_epochs = epochs
        cfg.param_scheduler[0].total_steps = epochs
    begin = time.perf_counter()
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = runner.test()
    return dict(
        view=view,
        input=text,
        seed=seed,
        epochs=cfg.train_cfg.max_epochs,
        top1=round(float(metrics['acc/top1']), 4),
        ceiling=round(ceiling, 4),
        seconds=round(time.perf_counter() - begin, 1),
    )


def print_shortcuts(report: Dict[str, Any]) -> None:
    """Prints the results of all trainings.

    Args:
        report (dict): ``world``, number of ``classes``, ``chance`` in [0, 1]
            and ``rows``, see :func:`train_and_test`.
    """
    table = Table(
        title=f'{report["world"]}: {report["classes"]} classes, '
        f'chance {100 * report["chance"]:.1f} %'
    )
    for column in ('input', 'seed', 'epochs', 'top-1 %', 'ceiling %', 's'):
        table.add_column(
            column, justify='left' if column == 'input' else 'right'
        )
    for row in report['rows']:
        percent = [f'{100 * row[key]:.1f}' for key in ('top1', 'ceiling')]
        table.add_row(
            row['input'],
            str(row['seed']),
            str(row['epochs']),
            *percent,
            f'{row["seconds"]:.0f}',
        )
    Console().print(table)
