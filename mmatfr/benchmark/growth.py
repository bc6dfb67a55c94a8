"""Growth of the time of a recognizer with the frames of a batch."""

import statistics
from typing import Any, Callable, Dict, List, Sequence

import torch
from mmaction.models.recognizers import BaseRecognizer
from rich.progress import Progress

from mmatfr.apis import frames_of
from mmatfr.sgs import force_lengths, sgs_layers

from .timing import time_in_turns
from .work import make_noise

__all__ = ['measure_growth']

_FRAMES_OF_A_ROUND = 1024


def measure_growth(
    model: BaseRecognizer,
    frames: Sequence[int],
    batch_sizes: Sequence[int],
    size: int,
    progress: Progress,
    rounds: int = 3,
    device: str = 'cpu',
) -> List[Dict[str, Any]]:
    """Times batches of noise, with half of the frames kept on average.

    Args:
        model (BaseRecognizer): A 3D recognizer with one layer that samples.
        frames (Sequence[int]): T of the clips.
        batch_sizes (Sequence[int]): Numbers of clips per batch.
        size (int): Height and width of the clips.
        progress (Progress): Progress bars to update.
        rounds (int): Number of rounds. Defaults to 3.
        device (str): The device. Defaults to 'cpu'.

    Returns:
        list[dict]: A row for each batch, with times in seconds.

    Raises:
        ValueError: If the recognizer is not 3D with one sampling layer.
    """
    if len(sgs_layers(model)) != 1 or frames_of(model) is not None:
        raise ValueError(
            f'{type(model.backbone).__name__} is not a 3D backbone with one '
            'sampling layer; use another config'
        )

    def prepare(num_clips: int, num_frames: int) -> Callable[[], None]:
        shape = (3, num_frames, size, size)
        clips = make_noise(model, num_clips, shape, device)
        lengths = _lengths_of(num_clips, num_frames)

        def run() -> None:
            with torch.no_grad(), force_lengths(model, lengths):
                for _ in range(_repeats_of(num_clips, num_frames)):
                    model(clips, mode='tensor', stage='head')

        return run

    functions = {
        (clips, number): prepare(clips, number)
        for clips in batch_sizes
        for number in frames
    }
    task = progress.add_task('time', total=len(functions) * (rounds + 1))
    seconds = time_in_turns(functions, rounds, lambda: progress.advance(task))
    rows = []
    for (clips, number), calls in seconds.items():
        taken = [each / _repeats_of(clips, number) for each in calls]
        rows.append(
            dict(
                clips=clips,
                num_frames=number,
                frames=clips * number,
                kept=sum(_lengths_of(clips, number)),
                seconds=statistics.median(taken),
                seconds_min=min(taken),
                seconds_max=max(taken),
            )
        )
    return rows


def _lengths_of(num_clips: int, num_frames: int) -> List[int]:
    """Returns unequal lengths, half of the frames on average."""
    if num_clips == 1:
        return [num_frames // 2]
    shares = torch.linspace(0.2, 0.8, num_clips).tolist()
    return [max(1, round(share * num_frames)) for share in shares]


def _repeats_of(num_clips: int, num_frames: int) -> int:
    """Returns the number of runs per round, more for small batches."""
    return max(1, _FRAMES_OF_A_ROUND // (num_clips * num_frames))
