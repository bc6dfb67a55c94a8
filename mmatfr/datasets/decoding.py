"""Checks in several processes whether videos can be decoded."""

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Iterator, Optional, Sequence, Tuple

import decord

from .video_dataset import reason_of

__all__ = ['find_fault', 'find_faults']


def find_fault(path: str, min_frames: int) -> Optional[str]:
    """Decodes a video from its first frame to its last.

    Args:
        path (str): The video.
        min_frames (int): Minimum number of frames.

    Returns:
        str: The fault, in one line; None if there is none.
    """
    if not os.path.isfile(path):
        return 'does not exist'
    try:
        video = decord.VideoReader(path, num_threads=1)
        for _ in range(len(video)):
            video.next()
    except Exception as error:  # decoders raise errors of any kind
        return reason_of(error)
    if len(video) < min_frames:
        return f'{len(video)} frames, fewer than {min_frames}'
    return None


def find_faults(
    paths: Sequence[str], min_frames: int, workers: int
) -> Iterator[Tuple[str, Optional[str]]]:
    """Decodes videos in several processes.

    Args:
        paths (Sequence[str]): The videos.
        min_frames (int): Minimum number of frames of each.
        workers (int): Number of processes.

    Yields:
        tuple: A video and its fault or None, in any order.
    """
    done = set()
    try:
        with ProcessPoolExecutor(workers) as pool:
            running = {
                pool.submit(find_fault, path, min_frames): path
                for path in paths
            }
            for future in as_completed(running):
                path = running[future]
                fault = future.result()
                done.add(path)
                yield path, fault
    except BrokenProcessPool:
        # One of the remaining videos crashed the process of the decoder, so
        # each of them gets a separate process.
        for path in paths:
            if path in done:
                continue
            with ProcessPoolExecutor(1) as pool:
                try:
                    fault = pool.submit(find_fault, path, min_frames).result()
                except BrokenProcessPool:
                    fault = 'the decoder crashes'
            yield path, fault
