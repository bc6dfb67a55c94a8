"""Lists of videos: made of folders by class, decoded, checked."""

import random
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from mmatfr.cli import make_progress

from .decoding import find_faults

__all__ = ['SPLITS', 'decode', 'divide', 'find_conflicts', 'find_videos']

SPLITS = ('train', 'val', 'test')
_ENDINGS = ('avi', 'flv', 'm4v', 'mkv', 'mov', 'mp4', 'mpeg', 'mpg', 'webm')


def find_videos(folder: Path) -> Dict[str, List[str]]:
    """Finds the videos of each class.

    Args:
        folder (Path): Folder that contains a folder for each class.

    Returns:
        dict[str, list[str]]: Videos by class, relative to the folder, both
        sorted.

    Raises:
        ValueError: If there are no classes, a video is outside a class, or a
            name has a line break.
    """
    if not folder.is_dir():
        raise ValueError(
            f'{str(folder)!r} is not a folder; give the one that contains a '
            'folder for each class'
        )
    videos: Dict[str, List[str]] = {}
    for path in sorted(folder.rglob('*')):
        parts = path.relative_to(folder).parts
        if any(part.startswith('.') for part in parts):
            continue
        if path.is_dir() and len(parts) == 1:
            videos[parts[0]] = []
        if not path.is_file() or path.suffix[1:].lower() not in _ENDINGS:
            continue
        if len(parts) == 1:
            raise ValueError(
                f'{str(path)!r} belongs to no class; move it into a folder of '
                f'{str(folder)!r} with the name of its class'
            )
        if len('/'.join(parts).splitlines()) > 1:
            raise ValueError(
                f'{str(path)!r} has a line break in its name; rename it'
            )
        videos[parts[0]].append('/'.join(parts))
    if not any(videos.values()):
        raise ValueError(
            f'{str(folder)!r} has no videos (*.{", *.".join(_ENDINGS)}) in '
            'folders; it must contain a folder for each class'
        )
    return videos


def divide(
    videos: Dict[str, List[str]], val: float, test: float, seed: int
) -> Dict[str, List[str]]:
    """Shuffles and divides the videos of each class.

    Each class is shuffled separately, so it does not depend on the others.

    Args:
        videos (dict[str, list[str]]): Videos by class.
        val (float): Share of each class to validate on, at least one video.
        test (float): Share of each class to test on, at least one video.
        seed (int): Seed of the shuffle.

    Returns:
        dict[str, list[str]]: Lines of the lists, by split.

    Raises:
        ValueError: If a class has too few videos.
    """
    lines: Dict[str, List[str]] = {split: [] for split in SPLITS}
    for label, (name, own) in enumerate(videos.items()):
        shuffled = random.Random(f'{seed} {name}').sample(own, len(own))
        counts = [max(1, round(share * len(own))) for share in (val, test)]
        counts.insert(0, len(own) - sum(counts))
        if counts[0] < 1:
            raise ValueError(
                f'the class {name!r} has {len(own)} readable videos, but '
                f'needs at least {sum(counts[1:]) + 1} for training, '
                'validation and test; add some, or remove its folder'
            )
        for split, count in zip(SPLITS, counts, strict=True):
            lines[split] += [f'{video} {label}' for video in shuffled[:count]]
            shuffled = shuffled[count:]
    return lines


def decode(
    paths: Sequence[str], min_frames: int, workers: int
) -> Dict[str, Optional[str]]:
    """Decodes videos in parallel and shows the progress.

    Args:
        paths (Sequence[str]): The videos, each once.
        min_frames (int): Minimum number of frames of a good video.
        workers (int): Number of processes.

    Returns:
        dict[str, str | None]: The fault of each video; None if it has none.
    """
    faults = {}
    with make_progress() as progress:
        task = progress.add_task('decode', total=len(paths))
        for path, fault in find_faults(paths, min_frames, workers):
            faults[path] = fault
            progress.advance(task)
    return faults


def find_conflicts(
    paths: Sequence[str], labels: Sequence[Tuple[int, ...]]
) -> List[str]:
    """Finds videos with different labels in a list.

    Args:
        paths (Sequence[str]): The video of each line.
        labels (Sequence[tuple[int]]): The labels of each line.

    Returns:
        list[str]: The videos, with their labels and lines.
    """
    lines: Dict[str, Dict[Tuple[int, ...], int]] = {}
    for number, (path, given) in enumerate(
        zip(paths, labels, strict=True), start=1
    ):
        lines.setdefault(path, {}).setdefault(given, number)
    return [
        f'{path!r} has '
        + ', '.join(
            f'label {" ".join(map(str, given)) or "none"} in line {number}'
            for given, number in found.items()
        )
        for path, found in lines.items()
        if len(found) > 1
    ]
