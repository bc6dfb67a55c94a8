"""Data sets of tempo: their parameters, and their files written."""

import csv
import json
import multiprocessing
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple, Union

import cv2
import numpy as np

from mmatfr.atomic_write import WriteError, atomic_open, write_text

from ..video_files import write_video
from .plan import CLASSES, SPLITS, TempoError, VideoFormat, plan_clip
from .rendering import render_clip
from .worlds import WORLDS

__all__ = ['SIZES', 'Tempo', 'get_size', 'write_tempo']

# To be increased whenever the same parameters give other pixels.
VERSION = 1


@dataclass(frozen=True)
class Tempo:
    """All parameters of a data set.

    Attributes:
        train (int): Number of clips to train on.
        val (int): Number of clips to validate on.
        test (int): Number of clips to test on.
        video (VideoFormat): Shape of the videos.
        seed (int): Seed, not negative.
        codec (str): Four-character code of the encoder.
        version (int): Version of the generator.
        world (str): Changes apart from the object, one of ``WORLDS``.
    """

    train: int
    val: int
    test: int
    video: VideoFormat = VideoFormat()
    seed: int = 0
    codec: str = 'mp4v'
    version: int = VERSION
    world: str = 'still'

    def __post_init__(self) -> None:
        for split in SPLITS:
            if getattr(self, split) < 1:
                raise TempoError(
                    f'{split} {getattr(self, split)} is not '
                    'possible: choose at least 1 clip'
                )
        if self.seed < 0:
            raise TempoError(f'seed {self.seed} is negative: choose 0 or more')
        if len(self.codec) != 4:
            raise TempoError(
                f'codec {self.codec!r} is no four-character '
                "code: choose one such as 'mp4v'"
            )
        if self.world not in WORLDS:
            raise TempoError(
                f'world {self.world!r} is unknown: choose from '
                f'{", ".join(WORLDS)}'
            )


SIZES: Dict[str, Tempo] = {
    'tiny': Tempo(48, 24, 24),
    'small': Tempo(2400, 240, 360),
    'full': Tempo(20000, 2000, 4000, VideoFormat(112, 112, 64)),
}


def get_size(name: str) -> Tempo:
    """Looks up the parameters of a named size.

    Args:
        name (str): One of ``SIZES``.

    Returns:
        Tempo: The parameters.
    """
    if name not in SIZES:
        raise TempoError(
            f'size {name!r} is unknown: choose from {", ".join(SIZES)}'
        )
    return SIZES[name]


def _write_clip(job: Tuple[str, Tempo, str, int]) -> None:
    """Renders and writes one clip."""
    path, tempo, split, index = job
    if not os.path.exists(path):
        frames = render_clip(
            tempo.seed, split, index, tempo.video, tempo.world
        )
        write_video(path, frames, tempo.video.fps, tempo.codec)


def _init_worker() -> None:
    # Workers share the cores, and threads of OpenCV would compete for them.
    cv2.setNumThreads(0)


def _list_files(out: Path) -> List[Path]:
    """Lists the files of a complete data set, written after the videos."""
    return [out / 'classes.txt'] + [
        out / f'{split}.{suffix}'
        for split in SPLITS
        for suffix in ('csv', 'txt')
    ]


def _write_lists(out: Path, tempo: Tempo) -> None:
    """Writes the names of the classes and the lists of the splits."""
    write_text(out / 'classes.txt', '\n'.join(CLASSES) + '\n')
    for split in SPLITS:
        lines, rows = [], []
        for index in range(getattr(tempo, split)):
            clip = plan_clip(tempo.seed, split, index, tempo.video)
            name = f'{split}/{index:05d}.mp4'
            lines.append(f'{name} {clip.label}\n')
            rows.append(
                (
                    name,
                    clip.label,
                    CLASSES[clip.label],
                    clip.start,
                    clip.length,
                )
            )
        table = out / f'{split}.csv'
        with atomic_open(table, newline='', encoding='utf-8') as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow(('filename', 'label', 'class', 'start', 'length'))
            writer.writerows(rows)
        write_text(out / f'{split}.txt', ''.join(lines))


def _prepare(out: Path, tempo: Tempo, overwrite: bool) -> bool:
    """Creates the folders and checks existing files.

    Returns:
        bool: Whether a complete data set with these parameters exists.
    """
    sidecar = out / 'tempo.json'
    if out.exists() and not out.is_dir():
        raise TempoError(f'{out} is a file: choose another folder')
    # A hidden file may be what is left of a killed run.
    if not sidecar.exists() and any(
        not path.name.startswith('.') for path in out.glob('*')
    ):
        raise TempoError(
            f'{out} has files but no tempo.json, so they are '
            'not from this generator: choose another folder'
        )
    if sidecar.exists():
        try:
            found = json.loads(sidecar.read_text(encoding='utf-8'))
        except ValueError:
            found = 'unreadable'
        wanted = asdict(tempo)
        if isinstance(found, dict):
            # Data sets from before the introduction of worlds have no world.
            found = {**found, 'world': found.get('world', 'still')}
        if overwrite:
            for path in _list_files(out):
                path.unlink(missing_ok=True)
            for split in SPLITS:
                shutil.rmtree(out / 'videos' / split, ignore_errors=True)
        elif found != wanted:
            raise TempoError(
                f'{out} has a data set with other parameters, '
                f'{json.dumps(found)} instead of {json.dumps(wanted)}: '
                'choose another folder or replace it with --overwrite'
            )
        elif all(path.exists() for path in _list_files(out)):
            return True
    try:
        out.mkdir(parents=True, exist_ok=True)
        # First, because files without it are taken for those of others.
        write_text(sidecar, json.dumps(asdict(tempo), indent=2) + '\n')
        for split in SPLITS:
            (out / 'videos' / split).mkdir(parents=True, exist_ok=True)
    except WriteError:
        raise
    except OSError as error:
        raise TempoError(
            f'{out} cannot be written to '
            f'({error.strerror}): choose another folder'
        ) from error
    return False


def write_tempo(
    out: Union[str, Path],
    tempo: Tempo,
    workers: int = 1,
    overwrite: bool = False,
) -> Optional[Iterator[int]]:
    """Writes a data set, or continues an interrupted one.

    It writes the videos, the annotation lists for mmaction2's
    ``VideoDataset``, a table ``filename,label,class,start,length`` for each
    split, ``classes.txt``, and ``tempo.json`` with the parameters. The lists
    are written last, so a folder with lists is complete.

    Args:
        out (str | Path): Folder of the data set.
        tempo (Tempo): Parameters.
        workers (int): Number of processes; 1 means the current process.
            Defaults to 1.
        overwrite (bool): Whether to replace an existing data set. Defaults to
            False.

    Returns:
        Iterator[int] | None: Yields the number of finished clips after each
        clip; iterating does the work. None if the data set already exists.

    Raises:
        TempoError: If the number of workers or the folder is not possible, or
            a worker process ends early.
    """
    out = Path(out)
    if workers < 1:
        raise TempoError(
            f'workers {workers} is not possible: choose at least 1'
        )
    # Without the codec every worker would fail, so try it before anything is
    # removed or written.
    blank = np.zeros((1, tempo.video.height, tempo.video.width, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        write_video(
            Path(folder) / 'probe.mp4', blank, tempo.video.fps, tempo.codec
        )
    if _prepare(out, tempo, overwrite):
        return None
    return _run(out, tempo, workers)


def _run(out: Path, tempo: Tempo, workers: int) -> Iterator[int]:
    jobs = [
        (str(out / 'videos' / split / f'{index:05d}.mp4'), tempo, split, index)
        for split in SPLITS
        for index in range(getattr(tempo, split))
    ]
    if workers == 1:
        for done, job in enumerate(jobs, 1):
            _write_clip(job)
            yield done
    else:
        context = multiprocessing.get_context('spawn')
        try:
            with ProcessPoolExecutor(workers, context, _init_worker) as pool:
                steps = pool.map(_write_clip, jobs, chunksize=4)
                try:
                    for done, _ in enumerate(steps, 1):
                        yield done
                finally:  # also if the caller stops early
                    pool.shutdown(cancel_futures=True)
        except BrokenProcessPool as error:
            raise TempoError(
                'a worker process ended early; run this again to continue. If '
                'it happens at once, call it from a file, below `if __name__ '
                '== "__main__":`, or use 1 worker; otherwise try fewer '
                'workers, which need less memory'
            ) from error
    _write_lists(out, tempo)
