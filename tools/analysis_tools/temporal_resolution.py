"""Ranks classes by the temporal resolution that they need.

It tests a recognizer that samples on the test set of its config and ranks the
classes by the mean temporal resolution B'/T of their clips. The figures show
the classes at both ends of the ranking, the distributions of B'/T and cost
over the clips, and the relation of B'/T and accuracy.
"""

import argparse
from pathlib import Path
from typing import Dict, Sequence

from mmengine.config import DictAction
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from rich.progress import Progress

from mmatfr.apis import load_config, load_weights, merge_options
from mmatfr.cli import (
    make_progress,
    make_table,
    print_table,
    run_script,
    write_report,
)
from mmatfr.cost import (
    accuracy_by_resolution,
    all_clips,
    rank_classes,
    summarize,
)
from mmatfr.engine import TemporalResolutionHook
from mmatfr.sgs import sgs_layers
from mmatfr.visualization.charts import (
    draw_accuracy,
    draw_class_ranking,
    draw_histograms,
)
from mmatfr.zoo.models import config_path


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config',
        help='config of a recognizer that samples, path or name',
    )
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        '--split',
        choices=['test', 'val'],
        default='test',
        help='data loader of the config to use (default: %(default)s)',
    )
    parser.add_argument(
        '--ends',
        type=int,
        default=10,
        help='number of classes to show at each end of the ranking '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--bins',
        type=int,
        default=8,
        help="number of bins of B'/T for the accuracy (default: %(default)s)",
    )
    parser.add_argument(
        '--out',
        default='results/temporal_resolution',
        help='folder of the JSON file and the figures (default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, name=value',
    )
    args = parser.parse_args()
    for name in ('ends', 'bins'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} {getattr(args, name)} must be positive')
    return args


class ProgressHook(Hook):
    """Advances a progress bar after every test batch."""

    def __init__(self, progress: Progress, batches: int) -> None:
        self.progress = progress
        self.task = progress.add_task('test', total=batches)

    def after_test_iter(self, *args, **kwargs) -> None:
        """Advances the progress bar."""
        self.progress.advance(self.task)


def build_runner(args: argparse.Namespace) -> Runner:
    """Builds the runner for the test, and loads the weights."""
    cfg = load_config(config_path(args.config))
    merge_options(cfg, args.cfg_options)
    for part in ('dataloader', 'evaluator'):
        key = f'{args.split}_{part}'
        if cfg.get(key) is None:
            raise ValueError(
                f'{args.config!r} has no {key}; add it, or choose another '
                '--split'
            )
        cfg[f'test_{part}'] = cfg[key]
    cfg.test_cfg = dict(type='TestLoop')
    cfg.update(
        work_dir=str(Path(args.out) / 'logs'),
        log_level='WARNING',
        load_from=None,
        resume=False,
    )
    runner = Runner.from_cfg(cfg)
    model = runner.model
    recognizer = model.module if is_model_wrapper(model) else model
    if not sgs_layers(recognizer):
        raise ValueError(
            f'nothing samples in {args.config!r}, so every class has '
            "B'/T = 1; use a config with sgs"
        )
    load_weights(recognizer, cfg, args.checkpoint)
    return runner


def watch(runner: Runner) -> TemporalResolutionHook:
    """Finds the hook for the temporal resolution, or adds it."""
    for hook in runner.hooks:
        if isinstance(hook, TemporalResolutionHook):
            return hook
    hook = TemporalResolutionHook()
    runner.register_hook(hook)
    return hook


def show(ranked: Sequence[Dict], summary: Dict[str, float], ends: int) -> None:
    """Prints the ends of the ranking, and the whole data set."""
    table = make_table(
        "classes by the mean B'/T of their clips; GFLOPs per clip",
        (
            'class',
            'videos',
            "B'/T",
            '5 to 95 %',
            'GFLOPs',
            'top-1 %',
        ),
    )
    low, high = ranked, []
    if len(ranked) > 2 * ends:
        low, high = ranked[:ends], ranked[-ends:]

    def add(row: Dict, name: str) -> None:
        table.add_row(
            name,
            str(row['videos']),
            f'{row["temporal_resolution"]:.3f}',
            f'{row["temporal_resolution_p5"]:.2f} to '
            f'{row["temporal_resolution_p95"]:.2f}',
            f'{row["gflops_per_clip"]:.4g}',
            f'{100 * row["accuracy"]:.1f}' if 'accuracy' in row else '',
        )

    for row in low:
        add(row, row['name'])
    if high:
        table.add_section()
        for row in high:
            add(row, row['name'])
    table.add_section()
    add(summary, 'all classes')
    print_table(table)


def run(args: argparse.Namespace) -> None:
    runner = build_runner(args)
    hook = watch(runner)
    with make_progress() as progress:
        runner.register_hook(
            ProgressHook(progress, len(runner.test_dataloader))
        )
        metrics = runner.test()
    videos = hook.videos
    metainfo = getattr(runner.test_dataloader.dataset, 'metainfo', {})
    ranked = rank_classes(videos, metainfo.get('classes') or ())
    summary = dict(summarize(videos), videos=len(videos))
    metrics.update({f'cost/{key}': summary[key] for key in summary})
    figures = dict(histogram=draw_histograms(*all_clips(videos)))
    if ranked:
        figures['ranking'] = draw_class_ranking(ranked, args.ends)
    accuracy = None
    if all('correct' in video for video in videos):
        summary['accuracy'] = sum(v['correct'] for v in videos) / len(videos)
        metrics.setdefault('acc/top1', summary['accuracy'])
        accuracy = accuracy_by_resolution(videos, args.bins)
        figures['accuracy'] = draw_accuracy(accuracy)
    show(ranked, summary, args.ends)
    write_report(
        Path(args.out),
        Path(args.config).stem,
        dict(
            config=args.config,
            checkpoint=args.checkpoint,
            split=args.split,
            metrics={key: float(value) for key, value in metrics.items()},
            all=summary,
            classes=ranked,
            accuracy_by_resolution=accuracy,
        ),
        **figures,
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
