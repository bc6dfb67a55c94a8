"""The short demonstration: released weights at work, then a short training.

Generates a few hundred videos, tests the released networks on them with and
without sampling, draws which frames were grouped, and trains one of the
networks anew while its curve grows. What is complete already is not done
again, and an interrupted training goes on where it was.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Dict, List

import torch
from matplotlib.ticker import MaxNLocator
from tempo_demo import (
    ATFR,
    CONFIGS,
    ROOT,
    draw_slow_and_fast,
    read_test_list,
    run_script,
    train,
)

from mmatfr.apis import (
    build_recognizer,
    load_recognizer,
    read_batch,
    without_sampling,
)
from mmatfr.atomic_write import atomic_path
from mmatfr.cli import make_progress, make_table, print_table
from mmatfr.cost import ClipRecorder
from mmatfr.datasets.tempo import CLASSES
from mmatfr.visualization.colours import COLOURS
from mmatfr.visualization.figures import COLUMN, new_figure, tidy
from mmatfr.zoo.models import config_path, list_models, released_weights

_DATA = 'data/tempo/demo'
_BATCH = 12
_BAR = 24  # characters


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--out',
        default='results/quick_demo',
        help='folder of the figures (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs',
        type=int,
        default=6,
        help='of the short training, 0 for none (default: %(default)s)',
    )
    for split, count in (('train', 1200), ('val', 60), ('test', 120)):
        parser.add_argument(
            f'--{split}',
            type=int,
            default=count,
            help=f'number of videos of {split} (default: %(default)s)',
        )
    return parser.parse_args()


def generate(args: argparse.Namespace) -> None:
    """Makes the videos, unless they are there."""
    splits = ('train', 'val', 'test')
    run_script(
        'tools/data/tempo/generate.py',
        *('--size', 'small', '--out', _DATA),
        *(f'--{split}={getattr(args, split)}' for split in splits),
    )


def load_pairs(name: str) -> Dict[str, torch.nn.Module]:
    """Loads released weights, into the network with sampling and without."""
    path, weights = config_path(name), released_weights(name)
    sampled = load_recognizer(path, weights)
    plain = build_recognizer(without_sampling(sampled.cfg.model)).eval()
    plain.cfg = sampled.cfg
    known = plain.state_dict()
    plain.load_state_dict(
        {k: v for k, v in sampled.state_dict().items() if k in known}
    )
    title = name.split('-atfr')[0]
    return {f'{title}, all frames': plain, f'{title}, sampled': sampled}


def test(model: torch.nn.Module) -> Dict[str, float]:
    """Tests a recognizer on the test split.

    Returns:
        dict[str, float]: ``top1`` in [0, 1], means of ``resolution`` (B'/T)
        and ``gflops``, and ``seconds`` of a clip, without decoding.
    """
    names = [line.strip() for line in open(f'{_DATA}/classes.txt')]
    rows = read_test_list(_DATA)
    hits, shares, gflops, seconds = 0, [], [], 0.0
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        clips = read_batch(
            model, [f'{_DATA}/videos/{row["filename"]}' for row in part]
        )
        with ClipRecorder(model) as recorder, torch.no_grad():
            began = time.perf_counter()
            scores = model(clips, mode='tensor', stage='head')
            seconds += time.perf_counter() - began
            records = recorder.take()
        if isinstance(scores, tuple):
            scores = scores[0]
        for guess, row in zip(scores.argmax(1).tolist(), part, strict=True):
            hits += names[guess] == row['class']
        shares.append(records.resolution)
        gflops.append(records.gflops)
    return dict(
        top1=hits / len(rows),
        resolution=torch.cat(shares).mean().item(),
        gflops=torch.cat(gflops).mean().item(),
        seconds=seconds / len(rows),
    )


def show_released(out: Path) -> None:
    """Prints what the released networks do, and draws the groups of one."""
    names = list_models('*_tempo-small-rgb', released=True)
    table = make_table(
        f'released weights on {len(read_test_list(_DATA))} test videos',
        ('network', 'top-1 %', "B'/T", 'GFLOPs', 'ms/clip'),
    )
    with make_progress() as progress:
        for name in progress.track(names, description='test'):
            for title, model in load_pairs(name).items():
                found = test(model)
                table.add_row(
                    title,
                    f'{100 * found["top1"]:.1f}',
                    f'{found["resolution"]:.2f}',
                    f'{found["gflops"]:.4f}',
                    f'{1e3 * found["seconds"]:.2f}',
                )
    print_table(table)
    path = out / 'groups.png'
    draw_slow_and_fast(
        load_recognizer(config_path(ATFR), released_weights(ATFR)),
        path,
        _DATA,
    )
    print(
        'Both rows of a network have the same weights, which were trained '
        'with sampling.\n'
        f'which frames of a slow and of a fast clip were grouped: {path}'
    )


def read_curve(work_dir: Path) -> Dict[str, List[tuple]]:
    """Reads the log of a training, over all its interruptions.

    Returns:
        dict[str, list[tuple]]: ``loss`` and ``top1`` (in %), each a list of
        (epoch, value).
    """
    losses: Dict[float, List[float]] = {}
    accuracies: Dict[float, float] = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if 'loss' in row:
                losses.setdefault(row['epoch'], []).append(row['loss'])
            elif 'acc/top1' in row:
                accuracies[row['step']] = 100 * row['acc/top1']
    return dict(
        loss=[(e, sum(v) / len(v)) for e, v in sorted(losses.items())],
        top1=sorted(accuracies.items()),
    )


def draw_curve(curve: Dict[str, List[tuple]], epochs: int, path: Path) -> None:
    """Draws the loss and the accuracy over the epochs."""
    figure = new_figure(COLUMN, 3)
    panels = figure.subplots(2, 1, sharex=True)
    chance = 100 / len(CLASSES)
    for axes, name, label, colour in (
        (panels[0], 'loss', 'training loss', COLOURS[0]),
        (panels[1], 'top1', 'top-1, validation (%)', COLOURS[5]),
    ):
        if curve[name]:
            axes.plot(
                *zip(*curve[name], strict=True),
                '-o',
                color=colour,
                markersize=3,
            )
        axes.set_ylabel(label)
        axes.grid(color='0.92', linewidth=0.6)
        tidy(axes)
    panels[1].axhline(
        chance, color='0.5', linewidth=1, linestyle='--', label='chance'
    )
    panels[1].legend(fontsize=7, frameon=False)
    panels[0].set_ylim(bottom=0)
    panels[1].set_ylim(0, 100)
    panels[1].set_xlim(0.5, epochs + 0.5)
    panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[1].set_xlabel('epoch')
    tidy(panels[1])
    with atomic_path(path) as part:
        figure.savefig(part)


def describe_epoch(curve: Dict[str, List[tuple]], epochs: int) -> str:
    """Puts the latest epoch of a curve into a line, with a bar."""
    epoch, top1 = curve['top1'][-1]
    loss = dict(curve['loss']).get(epoch, float('nan'))
    bar = '█' * round(_BAR * top1 / 100)
    return (
        f'epoch {epoch:2}/{epochs}  loss {loss:5.2f}  '
        f'top-1 {bar:░<{_BAR}} {top1:5.1f} %'
    )


def train_shortly(args: argparse.Namespace, out: Path) -> None:
    """Trains a network with sampling from scratch, and shows the curve."""
    # Of other videos or epochs it is another training.
    work_dir = Path(f'work_dirs/quick_demo_{args.train}x{args.epochs}')
    options = {
        'load_from': None,
        'train_cfg.max_epochs': args.epochs,
        'train_cfg.val_begin': 1,
        'train_cfg.val_interval': 1,
        'param_scheduler.0.eta_max': 2e-3,
        'param_scheduler.0.total_steps': args.epochs,
        'default_hooks.logger.interval': 10,
    }
    for split in ('train', 'val', 'test'):
        dataset = f'{split}_dataloader.dataset'
        options[f'{dataset}.data_root'] = _DATA
        options[f'{dataset}.metainfo.classes'] = f'{_DATA}/classes.txt'

    def show_epoch() -> None:
        curve = read_curve(work_dir)
        print(describe_epoch(curve, args.epochs))
        draw_curve(curve, args.epochs, out / 'curve.png')

    print(
        f'short training of {Path(CONFIGS).name}-mini-dense with sampling, '
        f'from scratch, on {args.train} videos; its curve grows in '
        f'{out / "curve.png"}'
    )
    train(
        'shortly',
        ATFR,
        args.epochs,
        work_dir,
        [
            *('--work-dir', str(work_dir)),
            '--cfg-options',
            *(f'{name}={value}' for name, value in options.items()),
        ],
        show_epoch,
    )
    draw_curve(read_curve(work_dir), args.epochs, out / 'curve.png')


def main() -> None:
    args = parse_args()
    os.chdir(ROOT)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    generate(args)
    show_released(out)
    if args.epochs:
        train_shortly(args, out)
        print(
            f'loss and accuracy: {out / "curve.png"}. `make train-demo` '
            'trains until the accuracy is that of the released weights'
        )


if __name__ == '__main__':
    main()
