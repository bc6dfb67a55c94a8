"""Recipes on windows of GRID that hold the color."""

import json
import statistics
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.box import MARKDOWN
from rich.table import Table

from mmatfr.atomic_write import write_text
from mmatfr.sgs import pool_frames, random_groups, set_num_bins, sgs_layers
from mmatfr.zoo.models import config_path

from .report import format_seeds

__all__ = ['ROWS', 'GridComparison', 'Row', 'make_table']

_FULL = 'resnet3d-mini-dense_1xb12-32x1x1-24e_grid-color-rgb'
_PATH = 'resnet3d-mini-dense-atfr-path_1xb12-32x1x1-8e_grid-color-rgb'
_LEARNED = 'resnet3d-mini-dense-atfr-learned_1xb12-32x1x1-8e_grid-color-rgb'
# Seed of the network from which all seeds start.
_FIRST_SEED = 0


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        title (str): Title in the table.
        config (str): Name of its config.
        samples (bool): Whether it samples; otherwise it is trained in the same
            way without sampling.
        binning (Callable, optional): Replaces the binning of the layer.
        num_bins (int, optional): Number of bins when tested.
        weights_of (str, optional): Uses the weights of this row. None if the
            row is trained.
    """

    title: str
    config: str = _PATH
    samples: bool = True
    binning: Optional[Callable] = None
    num_bins: Optional[int] = None
    weights_of: Optional[str] = None


ROWS = {
    'base': Row('without sampling, before fine-tuning', _FULL, samples=False),
    'full': Row('full', samples=False),
    'path': Row('path, 16 bins'),
    **{
        f'path_bins{bins}': Row(
            f'path, {bins} bins when tested', num_bins=bins, weights_of='path'
        )
        for bins in (10, 12, 14, 18, 20, 24)
    },
    'pool2': Row('average pool 2', binning=partial(pool_frames, size=2)),
    'learned': Row('learned path, 32 bins', _LEARNED),
    **{
        f'learned_bins{bins}': Row(
            f'learned path, {bins} bins when tested',
            _LEARNED,
            num_bins=bins,
            weights_of='learned',
        )
        for bins in (16, 24, 40, 48, 64)
    },
    'random': Row(
        'random groups, 16 on average',
        binning=partial(random_groups, resolution=0.5),
    ),
}


class GridComparison:
    """Trains and tests rows, each once.

    For each seed the network without sampling is trained once on windows of
    32 frames, starting from one trained on windows of 16. Every row starts
    from these weights.

    Args:
        data (str): Folder of the data set, with words.csv.
        work_dir (str): Folder of the trainings. Finished ones are not
            repeated, and an interrupted one continues.
        epochs (int, optional): Of every training; overrides the configs.

    Raises:
        FileNotFoundError: If the data set is not there.
    """

    def __init__(
        self, data: str, work_dir: str, epochs: Optional[int] = None
    ) -> None:
        if not Path(data, 'words.csv').is_file():
            raise FileNotFoundError(
                f'{data!r} has no words.csv; make the data set as described '
                'in tools/data/grid/README.md, or give its folder with --data'
            )
        self.data = data
        self.work_dir = work_dir
        self.epochs = epochs

    def read_config(self, name: str, folder: Path, seed: int) -> Config:
        """Reads a config.

        Args:
            name (str): Name of the config, without extension.
            folder (Path): Folder of the training.
            seed (int): Seed of the training.

        Returns:
            Config: The config for a runner, with the same class and memory
            layout of the network as with sampling.
        """
        cfg = Config.fromfile(config_path(name))
        init_default_scope(cfg.default_scope)
        cfg.work_dir = str(folder)
        cfg.experiment_name = '_'.join(folder.parts[-2:])
        cfg.randomness = dict(seed=seed)
        cfg.model.backbone.update(
            type='ATFRResNet3d', channels_last=get_device() == 'cpu'
        )
        for split in ('train', 'val', 'test'):
            cfg[f'{split}_dataloader'].dataset.data_root = self.data
        if self.epochs is not None:
            cfg.train_cfg.max_epochs = self.epochs
            cfg.param_scheduler[0].total_steps = self.epochs
        return cfg

    def row_config(self, name: str, seed: int) -> Config:
        """Reads the config of a row."""
        row = ROWS[name]
        folder = Path(self.work_dir, name, f's{seed}')
        cfg = self.read_config(row.config, folder, seed)
        if not row.samples:
            cfg.model.backbone.sgs = None
        if not row.samples or row.binning:
            cfg.custom_hooks = [
                hook
                for hook in cfg.custom_hooks
                if hook.type != 'RandomBinsHook'
            ]
        return cfg

    def weights(self, name: str, seed: int) -> str:
        """Trains a row if needed.

        Args:
            name (str): Key of ``ROWS``.
            seed (int): Seed of the training.

        Returns:
            str: Its last checkpoint.
        """
        row = ROWS[name]
        if row.weights_of:
            return self.weights(row.weights_of, seed)
        if name == 'base':
            return self.start(_FULL, seed)
        cfg = self.row_config(name, seed)
        return self.train(cfg, partial(self.start, _FULL, seed), row.binning)

    def start(self, name: str, seed: int) -> str:
        """Trains the base of the rows, and its base, if needed.

        Args:
            name (str): Name of the config.
            seed (int): Seed of the training.

        Returns:
            str: Its last checkpoint.
        """
        folder = Path(self.work_dir, name, f's{seed}')
        cfg = self.read_config(name, folder, seed)
        earlier = cfg.load_from and Path(cfg.load_from).parent.name
        return self.train(
            cfg, lambda: earlier and self.start(earlier, _FIRST_SEED)
        )

    @staticmethod
    def train(
        cfg: Config,
        start_from: Callable[[], Optional[str]],
        binning: Optional[Callable] = None,
    ) -> str:
        """Trains a network if needed.

        Args:
            cfg (Config): The config.
            start_from (Callable): Returns the checkpoint to start from.
            binning (Callable, optional): Replaces that of the layer.

        Returns:
            str: Its last checkpoint.
        """
        folder = Path(cfg.work_dir)
        checkpoint = folder / f'epoch_{cfg.train_cfg.max_epochs}.pth'
        if not checkpoint.is_file():
            cfg.resume = (folder / 'last_checkpoint').is_file()
            cfg.load_from = None if cfg.resume else start_from()
            runner = Runner.from_cfg(cfg)
            _replace_binning(runner, binning)
            runner.train()
        return str(checkpoint)

    def metrics(self, name: str, seed: int) -> Dict[str, float]:
        """Tests a row if needed.

        Args:
            name (str): Key of ``ROWS``.
            seed (int): Seed of the training.

        Returns:
            dict[str, float]: The metrics on the test split.
        """
        cfg = self.row_config(name, seed)
        result = Path(cfg.work_dir, 'metrics.json')
        if not result.is_file():
            row = ROWS[name]
            cfg.load_from = self.weights(name, seed)
            cfg.experiment_name += '_test'
            runner = Runner.from_cfg(cfg)
            _replace_binning(runner, row.binning)
            if row.num_bins is not None:
                set_num_bins(runner.model, row.num_bins)
            metrics = {key: float(v) for key, v in runner.test().items()}
            write_text(result, json.dumps(metrics, indent=2) + '\n')
        return json.loads(result.read_text(encoding='utf-8'))


def _replace_binning(runner: Runner, binning: Optional[Callable]) -> None:
    if binning is not None:
        for layer in sgs_layers(runner.model).values():
            layer.binning = binning


def make_table(results: Dict[str, List[Dict[str, float]]]) -> Table:
    """Creates a table of the results of all rows.

    Args:
        results (dict): For each row the metrics of each seed.

    Returns:
        Table: A table in Markdown, with the mean and, for several seeds, the
        range.
    """
    table = Table(box=MARKDOWN)
    for title in (
        'model',
        'seeds',
        'top-1 %',
        "B', mean ± std",
        'density of the word',
        'GFLOPs',
    ):
        table.add_column(
            title,
            justify='left' if title == 'model' else 'right',
            no_wrap=True,
        )
    full = results.get('full', results.get('base'))
    for name, runs in results.items():

        def column(
            key: str, digits: int, factor: float = 1, runs=runs
        ) -> Optional[str]:
            if key not in runs[0]:
                return None
            return format_seeds([factor * run[key] for run in runs], digits)

        def mean(key: str, runs=runs) -> float:
            return statistics.mean(run[key] for run in runs)

        gflops = f'{mean("cost/gflops_per_clip"):.4f}'
        if full:
            of = statistics.mean(run['cost/gflops_per_clip'] for run in full)
            gflops += f' ({100 * mean("cost/gflops_per_clip") / of:.0f} %)'
        table.add_row(
            ROWS[name].title,
            str(len(runs)),
            column('acc/top1', 1, 100),
            f'{mean("cost/length_mean"):.1f} ± {mean("cost/length_std"):.1f}',
            column('density/word', 2),
            gflops,
        )
    return table
