"""The long demonstration: does sampling save anything on tempo, and what?

Generates tempo small, trains a 3D ResNet, puts sampling into it and trains a
few epochs on, tests both, times both and draws what was grouped. Every step is
one of the commands that the README names; what is complete already is not done
again, and an interrupted training goes on where it was.
"""

import argparse
import csv
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mmatfr.apis import (
    first_view,
    frame_times,
    load_recognizer,
    read_batch,
    read_clips,
)
from mmatfr.atomic_write import atomic_path, write_text
from mmatfr.benchmark.timing import time_per_clip
from mmatfr.checkpoint import read_checkpoint
from mmatfr.cli import make_table, print_table
from mmatfr.visualization.figures import GroupsRecorder, draw_groups

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = 'configs/recognition/resnet3d'
_BASE = 'resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb'
ATFR = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
_ROWS = {'ResNet3d': (_BASE, 12), 'ResNet3d + ATFR': (ATFR, 8)}
DATA = 'data/tempo/small'
_STEP = re.compile(
    r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\].*'
    r'\bloss: ([\d.]+)'
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--out',
        default='results/tempo_demo',
        help='folder of the table and the figure (default: %(default)s)',
    )
    parser.add_argument(
        '--clips',
        type=int,
        default=96,
        help='number of test clips that are timed (default: %(default)s)',
    )
    parser.add_argument(
        '--rounds',
        type=int,
        default=5,
        help='how often each model is timed on them (default: %(default)s)',
    )
    return parser.parse_args()


def run_script(*command: str) -> None:
    """Runs one of the project's scripts and lets it speak for itself."""
    done = subprocess.run([sys.executable, *command])
    if done.returncode:
        sys.exit(done.returncode)


def plan_training(
    name: str, checkpoint: Path, options: Sequence[str] = ()
) -> Optional[List[str]]:
    """Finds out what is left of a training.

    Args:
        name (str): Name of the config.
        checkpoint (Path): The checkpoint of the last epoch.
        options (Sequence[str]): More arguments of tools/train.py. Defaults
            to ().

    Returns:
        list[str]: The command that trains, or goes on. None if the checkpoint
        is there and whole.
    """
    if _is_whole(checkpoint):
        return None
    command = [sys.executable, 'tools/train.py', f'{CONFIGS}/{name}.py']
    command += options
    last = checkpoint.with_name('last_checkpoint')
    if last.is_file() and _is_whole(Path(last.read_text().strip())):
        command.append('--resume')
    return command


def _is_whole(checkpoint: Path) -> bool:
    if not checkpoint.is_file():
        return False
    try:
        read_checkpoint(str(checkpoint))
    except ValueError:
        print(f'{checkpoint} is incomplete and is written anew')
        return False
    return True


def train(
    title: str,
    name: str,
    epochs: int,
    work_dir: Optional[Path] = None,
    options: Sequence[str] = (),
    on_validation: Callable[[], Any] = lambda: None,
) -> Path:
    """Trains a config through tools/train.py, with a progress bar.

    Args:
        title (str): What the bar is called.
        name (str): Name of the config.
        epochs (int): Number of epochs that it trains.
        work_dir (Path, optional): Where to. Defaults to None,
            ``work_dirs/<name>``.
        options (Sequence[str]): More arguments of tools/train.py. Defaults
            to ().
        on_validation (Callable): Called after every validation.

    Returns:
        Path: The checkpoint of the last epoch.
    """
    work_dir = work_dir or Path('work_dirs') / name
    checkpoint = work_dir / f'epoch_{epochs}.pth'
    command = plan_training(name, checkpoint, options)
    if command is None:
        print(f'{title}: {checkpoint} is there already')
        return checkpoint
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        TextColumn('{task.fields[state]}'),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    said: List[str] = []
    with (
        Progress(*columns) as progress,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        task = progress.add_task(f'train {title}', total=None, state='')
        validated = False
        for line in process.stdout:
            said = (said + [line])[-30:]
            # The metrics are written after the line that tells them.
            if validated:
                on_validation()
            validated = 'Epoch(val)' in line and 'acc/top1' in line
            step = _STEP.search(line)
            if step:
                epoch, done, total = map(int, step.groups()[:3])
                progress.update(
                    task,
                    total=epochs * total,
                    completed=(epoch - 1) * total + done,
                    state=f'epoch {epoch}/{epochs}, loss {step[4]}',
                )
    if validated:
        on_validation()
    if process.returncode:
        sys.stderr.writelines(said)
        sys.exit(f'error: the training of {name} stopped, see above')
    return checkpoint


def test(title: str, name: str, checkpoint: Path) -> Dict[str, float]:
    """Tests a checkpoint through tools/test.py.

    Returns:
        dict[str, float]: The metrics that it logged.
    """
    work_dir = Path('work_dirs') / f'{name}_test'
    with Console().status(f'test {title}'):
        done = subprocess.run(
            [
                sys.executable,
                'tools/test.py',
                f'{CONFIGS}/{name}.py',
                str(checkpoint),
                '--work-dir',
                str(work_dir),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if done.returncode:
        sys.exit(f'{done.stdout}\nerror: the test of {name} stopped')
    newest = max(work_dir.glob('*/*.json'), key=os.path.getmtime)
    return json.loads(newest.read_text().splitlines()[-1])


def read_test_list(folder: str = DATA) -> List[dict]:
    """Reads what tempo says of the videos of the test split."""
    with open(f'{folder}/test.csv', newline='') as file:
        return list(csv.DictReader(file))


def time_models(
    models: Dict[str, torch.nn.Module], num_clips: int, rounds: int
) -> Dict[str, List[float]]:
    """Seconds a clip of each model, decoding left out.

    Args:
        models (dict[str, nn.Module]): Recognizers, by name.
        num_clips (int): Number of test clips.
        rounds (int): Number of repetitions.

    Returns:
        dict[str, list[float]]: Seconds a clip in each round.
    """
    videos = [
        f'{DATA}/videos/{row["filename"]}'
        for row in read_test_list()[:num_clips]
    ]
    clips = {name: read_batch(model, videos) for name, model in models.items()}
    return time_per_clip(models, clips, rounds)


def draw_slow_and_fast(
    model: torch.nn.Module, path: Path, folder: str = DATA
) -> None:
    """Draws the groups of the slowest and of the fastest test action."""
    rows = sorted(read_test_list(folder), key=lambda row: int(row['length']))
    drawn = []
    for kind, row in (('slow', rows[-1]), ('fast', rows[0])):
        data = read_clips(model.cfg, f'{folder}/videos/{row["filename"]}')
        with GroupsRecorder(model) as recorder, torch.no_grad():
            model.test_step(
                dict(
                    inputs=[data['inputs']],
                    data_samples=[data['data_samples']],
                )
            )
        title = (
            f'{kind} {row["class"]}, action in video frames '
            f'{row["start"]} to '
            f'{int(row["start"]) + int(row["length"]) - 1} of 0 to 31'
        )
        clip = first_view(model, data['inputs'])
        times = frame_times(data['data_samples'], clip.shape[1])
        drawn += recorder.groups(
            0, clip, title, None if times is None else times[0]
        )
    with atomic_path(path) as part:
        draw_groups(drawn).savefig(part)


def show(rows: List[dict], console: Optional[Console] = None) -> None:
    """Prints the table."""
    table = make_table(
        'tempo small, test split',
        ('model', 'top-1 %', "B'/T", 'Spearman', 'GFLOPs', 'ms/clip'),
    )
    for row in rows:
        table.add_row(
            row['model'],
            f'{100 * row["top1"]:.1f}',
            f'{row["resolution"]:.2f} ± {row["resolution_std"]:.2f}',
            '' if row['spearman'] is None else f'{row["spearman"]:.2f}',
            f'{row["gflops"]:.4f}',
            f'{1e3 * row["seconds"]:.2f} [{1e3 * row["seconds_min"]:.2f}, '
            f'{1e3 * row["seconds_max"]:.2f}]',
        )
    print_table(table, console)


def main() -> None:
    args = parse_args()
    os.chdir(ROOT)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    run_script(
        'tools/data/tempo/generate.py', '--size', 'small', '--out', DATA
    )
    models, rows = {}, []
    for title, (name, epochs) in _ROWS.items():
        checkpoint = train(title, name, epochs)
        metrics = test(title, name, checkpoint)
        rows.append(
            dict(
                model=title,
                config=f'{CONFIGS}/{name}.py',
                top1=metrics['acc/top1'],
                resolution=metrics['cost/temporal_resolution'],
                resolution_std=metrics['cost/length_std'] / 16,
                spearman=metrics.get('tempo/spearman'),
                gflops=metrics['cost/gflops_per_clip'],
            )
        )
        models[title] = load_recognizer(
            f'{CONFIGS}/{name}.py', str(checkpoint), 'cpu'
        )
    with Console().status('time both, in turns'):
        seconds = time_models(models, args.clips, args.rounds)
    for row in rows:
        taken = seconds[row['model']]
        row.update(
            seconds=statistics.median(taken),
            seconds_min=min(taken),
            seconds_max=max(taken),
        )
    draw_slow_and_fast(models['ResNet3d + ATFR'], out / 'groups.png')
    machine = dict(
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
    )
    write_text(
        out / 'table.json',
        json.dumps(dict(machine=machine, rows=rows), indent=2) + '\n',
    )
    show(rows)
    print(
        "± is the standard deviation over the clips; Spearman correlates B' "
        'with the length of the action; of the time, on the '
        f'CPU without decoding, the median of {args.rounds} rounds and '
        f'[least, most].\nwritten: {out / "table.json"}, '
        f'{out / "groups.png"}'
    )


if __name__ == '__main__':
    main()
