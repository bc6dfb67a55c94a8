"""Compares ways to spend fewer frames on tempo: makes one table.

For each seed the network without sampling is trained once; in another world
than still it trains on from the one that was trained there. Every row, but for
those from scratch, starts from its weights, trains with one and the same
schedule and is tested on the test split; rows that only change how a trained
network is run take the weights of another. All rows of a seed are then timed
in turns. What is done already is not done again, so that an interrupted run
goes on with the same command.
"""

import argparse
import json
import statistics
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from _recipes import MODELS, ROWS, TABLES, spread_frames
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

import mmatfr  # noqa: F401
from mmatfr.apis import load_recognizer, read_batch, see_clips
from mmatfr.atomic_write import atomic_open, write_text
from mmatfr.benchmark.timing import time_per_clip
from mmatfr.cli import describe_run, run_script, write_report
from mmatfr.datasets.tempo import SIZES, WORLDS, get_size, write_tempo
from mmatfr.engine.sensitivity import fit_similarity, learned_similarities
from mmatfr.visualization.tradeoffs import draw_tradeoff

_NUM_TIMED = 48  # clips
_NUM_SEEN = 20  # batches, by a layer that is not trained
_NUM_FITTED = 100  # batches, to fit heads that predict steps
# Rows that are drawn as a line, with what it is called.
_CURVES = {
    'path_bins': 'path sampling, one checkpoint, other bins when tested',
    'inserted_path_bins': 'put into the trained network without training',
    'learned_path_bins': 'learned path, other bins when tested',
    'inserted_learned_path_bins': 'learned path, without training the network',
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--model',
        choices=list(MODELS),
        default='resnet3d',
        help='default: %(default)s',
    )
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument(
        '--table',
        choices=list(TABLES),
        default='evidence',
        help='which rows (default: %(default)s)',
    )
    rows.add_argument(
        '--rows', nargs='+', choices=list(ROWS), help='instead of a table'
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
        '--world',
        choices=WORLDS,
        default='still',
        help='what else changes in the videos than the object that acts; of '
        'another world than still, data, trainings and report go beside the '
        'others (default: %(default)s)',
    )
    parser.add_argument(
        '--test-videos',
        type=int,
        help='test on so many videos, generated in a folder beside the data '
        'set (default: those of its test split)',
    )
    parser.add_argument(
        '--video-frames',
        type=int,
        help='length of the videos; a clip is taken from all of it, so that '
        'rows of more frames take closer ones; data, trainings and report go '
        'beside the others (default: that of the size)',
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/recipes',
        help='folder of the trainings (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        default='results/recipes',
        help='folder of the table and the figure (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs', type=int, help='of every training, instead of the configs'
    )
    parser.add_argument(
        '--finetune-epochs',
        type=int,
        help="of the rows' trainings, instead of the recipe's",
    )
    parser.add_argument(
        '--rounds',
        type=int,
        default=5,
        help='how often each row is timed (default: %(default)s)',
    )
    return parser.parse_args()


class Comparison:
    """Trains and tests rows, each once.

    Args:
        args (argparse.Namespace): Arguments of the command.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.model = MODELS[args.model]
        self.size = replace(get_size(args.size), world=args.world)
        self.data, self.work_dir = args.data, Path(args.work_dir)
        # What other worlds ask for is learned in steps: their network without
        # sampling starts from that of the still world.
        self.still: Optional[Comparison] = None
        if args.world != 'still':
            still = {**vars(args), 'world': 'still', 'test_videos': None}
            self.still = Comparison(argparse.Namespace(**still))
            self.data += f'-{args.world}'
            self.work_dir /= args.world
        if args.video_frames is not None:
            video = replace(self.size.video, frames=args.video_frames)
            self.size = replace(self.size, video=video)
            self.data += f'-{args.video_frames}frames'
            self.work_dir /= f'{args.video_frames}frames'
        self.test_data, self.result = self.data, 'metrics.json'
        if args.test_videos is not None:
            self.test_data = f'{self.data}-test{args.test_videos}'
            self.result = f'metrics-test{args.test_videos}.json'

    def generate(self) -> None:
        """Generates the data, if need be."""
        if self.still is not None:
            self.still.generate()
        sizes = {self.data: self.size}
        # The videos of a split do not depend on their number.
        if self.test_data != self.data:
            sizes[self.test_data] = replace(
                self.size, train=1, val=1, test=self.args.test_videos
            )
        for folder, size in sizes.items():
            clips = write_tempo(folder, size)
            if clips is not None:
                total = size.train + size.val + size.test
                for _ in track(clips, f'Generating {folder}', total):
                    pass

    def folder(self, name: str, seed: int, is_base: bool = False) -> Path:
        """Where a row, or what all start from, keeps weights and metrics."""
        if is_base:
            # Recipes for the same network start from the same weights.
            return self.work_dir / Path(self.model.full).stem / f's{seed}'
        if self.is_finetuned(name) and self.args.finetune_epochs is not None:
            name = f'{name}_{self.args.finetune_epochs}e'
        return self.work_dir / self.args.model / f'{name}_s{seed}'

    @staticmethod
    def is_finetuned(name: str) -> bool:
        """Whether a row trains on from what all start from."""
        return name != 'base' and not ROWS[name].from_scratch

    def config(self, name: str, seed: int, is_base: bool = False) -> Config:
        """Makes the config of a row.

        Args:
            name (str): Key of ``ROWS``.
            seed (int): Seed of the training.
            is_base (bool): Whether of the training that all rows start from.

        Returns:
            Config: Ready for a runner.
        """
        if is_base:
            cfg = self.model.full_config()
            spread_frames(cfg, span=self.args.video_frames)
        else:
            cfg = ROWS[name].config(self.model, self.args.video_frames)
        init_default_scope(cfg.default_scope)
        cfg.work_dir = str(self.folder(name, seed, is_base))
        cfg.experiment_name = f'{self.args.model}_{name}_s{seed}'
        cfg.randomness = dict(seed=seed)
        cfg.load_from = None
        for split in ('train', 'val', 'test'):
            dataset = cfg[f'{split}_dataloader'].dataset
            root = self.test_data if split == 'test' else self.data
            dataset.data_root = root
            dataset.metainfo.classes = f'{root}/classes.txt'
        epochs = self.args.epochs
        if not is_base and self.is_finetuned(name):
            epochs = self.args.finetune_epochs or epochs
        if epochs is not None:
            cfg.train_cfg.max_epochs = epochs
            cfg.param_scheduler[0].total_steps = epochs
        return cfg

    def weights(self, name: str, seed: int) -> str:
        """Trains a row, if need be.

        Args:
            name (str): Key of ``ROWS``; 'base' for what all rows start from.
            seed (int): Seed of the training.

        Returns:
            str: Its last checkpoint.
        """
        is_base = name == 'base'
        if not is_base and ROWS[name].weights_of:
            weights = self.weights(ROWS[name].weights_of, seed)
            if ROWS[name].weights_of == 'base' and ROWS[name].sgs is not None:
                return self.insert(name, seed, weights)
            return weights
        cfg = self.config(name, seed, is_base)
        folder = self.folder(name, seed, is_base)
        checkpoint = folder / f'epoch_{cfg.train_cfg.max_epochs}.pth'
        if checkpoint.is_file():
            return str(checkpoint)
        if (folder / 'last_checkpoint').is_file():
            cfg.resume = True
        elif is_base and self.still is not None:
            cfg.load_from = self.still.weights('base', seed)
        elif not is_base and self.is_finetuned(name):
            cfg.load_from = self.weights('base', seed)
        runner = Runner.from_cfg(cfg)
        if not is_base:
            ROWS[name].prepare(runner.model)
        runner.train()
        return str(checkpoint)

    def insert(self, name: str, seed: int, weights: str) -> str:
        """Puts the layer of a row into the trained network, untrained.

        Args:
            name (str): Key of ``ROWS``.
            seed (int): Seed of the training.
            weights (str): The checkpoint of the network.

        Returns:
            str: The checkpoint with the layer.
        """
        checkpoint = self.folder(name, seed) / 'inserted.pth'
        if not checkpoint.is_file():
            cfg = self.config(name, seed)
            cfg.load_from = weights
            cfg.experiment_name += '_insert'
            runner = Runner.from_cfg(cfg)
            runner.load_or_resume()
            loader = runner.build_dataloader(cfg.train_dataloader, seed=0)
            if learned_similarities(runner.model):
                fit_similarity(runner.model, islice(loader, _NUM_FITTED))
            see_clips(runner.model, islice(loader, _NUM_SEEN))
            runner.save_checkpoint(
                cfg.work_dir,
                checkpoint.name,
                save_optimizer=False,
                save_param_scheduler=False,
            )
        return str(checkpoint)

    def metrics(self, name: str, seed: int) -> Dict[str, float]:
        """Tests a row, if need be.

        Args:
            name (str): Key of ``ROWS``.
            seed (int): Seed of the training.

        Returns:
            dict[str, float]: The metrics on the test split.
        """
        result = self.folder(name, seed) / self.result
        if not result.is_file():
            cfg = self.config(name, seed)
            cfg.load_from = self.weights(name, seed)
            cfg.experiment_name += '_test'
            runner = Runner.from_cfg(cfg)
            ROWS[name].prepare(runner.model)
            metrics = {k: float(v) for k, v in runner.test().items()}
            result.parent.mkdir(parents=True, exist_ok=True)
            write_text(result, json.dumps(metrics, indent=2) + '\n')
        return json.loads(result.read_text())

    def seconds(self, names: Sequence[str], seed: int) -> Dict[str, float]:
        """Times rows in turns.

        Args:
            names (Sequence[str]): Keys of ``ROWS``.
            seed (int): Seed of the training.

        Returns:
            dict[str, float]: Median over the rounds of the seconds a clip,
            without decoding, of the faster of two ways, clip by clip and in
            batches.
        """
        recognizers, clips = {}, {}
        lines = Path(self.test_data, 'test.txt').read_text().splitlines()
        videos = [
            str(Path(self.test_data, 'videos', line.split()[0]))
            for line in lines[:_NUM_TIMED]
        ]
        for name in names:
            cfg = self.config(name, seed)
            recognizers[name] = load_recognizer(cfg, self.weights(name, seed))
            ROWS[name].prepare(recognizers[name])
            clips[name] = read_batch(recognizers[name], videos)
        taken = time_per_clip(recognizers, clips, self.args.rounds)
        return {name: statistics.median(taken[name]) for name in names}


def over_seeds(values: Sequence[float], digits: int) -> str:
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
        "B' (of several layers B'/T), mean ± std",
        "B' range",
        'Spearman',
        'GFLOPs',
        'ms/clip',
    ):
        table.add_column(
            column,
            justify='left' if column == 'model' else 'right',
            no_wrap=True,
        )
    full = results.get('full')
    for name, runs in results.items():

        def column(
            key: str, digits: int, factor: float = 1, runs=runs
        ) -> Optional[str]:
            if not all(key in run for run in runs):
                return None
            return over_seeds([factor * run[key] for run in runs], digits)

        lengths = bounds = None
        if all('cost/length_mean' in run for run in runs):
            mean, std = (
                statistics.mean(run[f'cost/length_{what}'] for run in runs)
                for what in ('mean', 'std')
            )
            lengths = f'{mean:.1f} ± {std:.1f}'
            least = min(run['cost/length_min'] for run in runs)
            most = max(run['cost/length_max'] for run in runs)
            bounds = f'{least:.0f} to {most:.0f}'
        else:  # several layers: the share of its frames that each keeps
            lengths = ', '.join(
                ' ± '.join(
                    f'{statistics.mean(run[key + end] for run in runs):.2f}'
                    for end in ('', '_std')
                )
                for key in runs[0]
                if key.endswith('.sgs/temporal_resolution')
            )
        gflops = statistics.mean(run['cost/gflops_per_clip'] for run in runs)
        share = ''
        if full and name != 'full':
            of = statistics.mean(run['cost/gflops_per_clip'] for run in full)
            share = f' ({100 * gflops / of:.0f} %)'
        table.add_row(
            ROWS[name].title,
            column('acc/top1', 1, 100),
            column('tempo/top1_short', 1, 100),
            column('tempo/top1_long', 1, 100),
            lengths,
            bounds,
            column('tempo/spearman', 2),
            f'{gflops:.4f}{share}',
            column('seconds', 2, 1e3),
        )
    return table


def make_series(
    results: Dict[str, List[Dict[str, float]]],
) -> Dict[str, List[Dict[str, float]]]:
    """Makes points and lines of the rows.

    Args:
        results (dict): For each row the metrics of each seed.

    Returns:
        dict: What :func:`mmatfr.visualization.tradeoffs.draw_tradeoff` draws.
    """
    series: Dict[str, List[Dict[str, float]]] = {}
    for name, runs in results.items():
        top1 = [100 * run['acc/top1'] for run in runs]
        point = dict(
            cost=statistics.mean(run['cost/gflops_per_clip'] for run in runs),
            accuracy=statistics.mean(top1),
            low=min(top1),
            high=max(top1),
        )
        curves = [c for key, c in _CURVES.items() if name.startswith(key)]
        series.setdefault((curves or [ROWS[name].title])[0], []).append(point)
    return series


def run() -> None:
    args = parse_args()
    names = args.rows or TABLES[args.table]
    comparison = Comparison(args)
    for name in names:  # what is not possible shows before the training
        comparison.config(name, args.seeds[0])
    comparison.generate()
    results: Dict[str, List[Dict[str, Any]]] = {name: [] for name in names}
    for seed in args.seeds:
        for name in names:
            results[name].append(comparison.metrics(name, seed))
    for place, seed in enumerate(args.seeds):
        for name, seconds in comparison.seconds(names, seed).items():
            results[name][place]['seconds'] = seconds
    table = make_table(results)
    Console(width=250).print(table)
    out = Path(args.out)
    title = f'{args.model}_{"rows" if args.rows else args.table}'
    if args.world != 'still':
        title += f'_{args.world}'
    if args.video_frames is not None:
        title += f'_{args.video_frames}frames'
    figure = draw_tradeoff(
        make_series(results), 'GFLOPs per clip', 'top-1 accuracy, %'
    )
    write_report(
        out, title, dict(seeds=args.seeds, rows=results), figure=figure
    )
    with atomic_open(out / f'{title}.md', encoding='utf-8') as file:
        machine = describe_run()
        print(
            f'`{machine["command"]}`; {machine["cores"]} CPU cores, '
            f'{machine["threads"]} threads, Python {machine["python"]}, '
            f'torch {machine["torch"]}; seeds '
            f'{", ".join(map(str, args.seeds))}: mean [least, most].\n',
            file=file,
        )
        Console(file=file, width=250).print(table)


if __name__ == '__main__':
    run_script(run)
