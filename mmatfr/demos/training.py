"""Trains and tests with the scripts in ``tools``, with a progress bar.

The functions run in the folder that contains ``tools/``.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from rich.console import Console

from mmatfr.checkpoint import read_checkpoint
from mmatfr.cli import make_progress

__all__ = ['CONFIGS', 'plan_training', 'run_tool', 'test', 'train']

CONFIGS = 'configs/recognition/resnet3d'
_STEP = re.compile(
    r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\].*'
    r'\bloss: ([\d.]+)'
)


def run_tool(*command: str) -> None:
    """Runs a script of the project and shows its output."""
    done = subprocess.run([sys.executable, *command])
    if done.returncode:
        sys.exit(done.returncode)


def plan_training(
    name: str, checkpoint: Path, options: Sequence[str] = ()
) -> Optional[List[str]]:
    """Returns the command for the rest of a training.

    Args:
        name (str): Name of the config.
        checkpoint (Path): The checkpoint of the last epoch.
        options (Sequence[str]): More arguments of tools/train.py. Defaults
            to ().

    Returns:
        list[str]: The command that starts or continues the training; None if
        the checkpoint is complete.
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
        print(f'{checkpoint} is incomplete and will be replaced')
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
    """Trains a config with tools/train.py, with a progress bar.

    Args:
        title (str): Title of the bar.
        name (str): Name of the config.
        epochs (int): Number of epochs of the config.
        work_dir (Path, optional): Folder of the training. Defaults to None,
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
        print(f'{title}: {checkpoint} already exists')
        return checkpoint
    said: List[str] = []
    with (
        make_progress() as progress,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        task = progress.add_task(f'train {title}', total=None)
        validated = False
        assert process.stdout is not None
        for line in process.stdout:
            said = (said + [line])[-30:]
            # The metrics are written after the line that announces them.
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
                    description=f'train {title}: epoch {epoch}/{epochs}, '
                    f'loss {step[4]}',
                )
    if validated:
        on_validation()
    if process.returncode:
        sys.stderr.writelines(said)
        sys.exit(f'error: the training of {name} stopped, see above')
    return checkpoint


def test(title: str, name: str, checkpoint: Path) -> Dict[str, float]:
    """Tests a checkpoint with tools/test.py.

    Returns:
        dict[str, float]: The logged metrics.
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
