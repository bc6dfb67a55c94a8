"""Verification of an exported file against PyTorch."""

from typing import (
    Callable,
    Iterator,
    List,
    NamedTuple,
    Sequence,
    Set,
    Tuple,
)

import numpy as np
import torch
from mmaction.models.recognizers import BaseRecognizer, Recognizer2D
from torch import Tensor

from mmatfr.sgs import get_num_bins, set_num_bins, sgs_layers

from .engines import Engine
from .info import ModelInfo
from .network import ClipNetwork

__all__ = [
    'ProbeClip',
    'Reference',
    'choose_clips',
    'compare',
    'make_clips',
    'run_reference',
]

# Margin for the rounding of engines, relative to the largest magnitude.
_ROUNDING = 1e-5
# Largest number of bins to try.
_MOST_BINS = 2**14


class ProbeClip(NamedTuple):
    """A clip for the comparison.

    Attributes:
        frames (Tensor): (T, H, W, 3), uint8.
        num_bins (tuple[int]): Number of bins of each pathway.
    """

    frames: Tensor
    num_bins: Tuple[int, ...]


class Reference(NamedTuple):
    """The result of the recognizer for a clip, in PyTorch.

    Attributes:
        scores (ndarray): (1, K).
        lengths (list[int]): B' of each pathway.
    """

    scores: np.ndarray
    lengths: List[int]


def choose_clips(
    network: ClipNetwork, size: Sequence[int], seed: int = 0
) -> List[ProbeClip]:
    """Chooses clips with B' from 1 to T.

    Candidates are clips with little to much motion, with many numbers of bins.
    Only clips with groups that rounding cannot change are chosen.

    Args:
        network (ClipNetwork): The network.
        size (Sequence[int]): Height and width of the frames.
        seed (int): Seed of the contents. Defaults to 0.

    Returns:
        list[ProbeClip]: One clip for each possible B', and two with the
        numbers of bins of the config, one of which has another size.
    """
    clips = list(make_clips(network.num_frames, size, seed))
    default = tuple(network.num_bins)
    *_, larger = make_clips(
        network.num_frames, (size[0] + 32, size[1] + 16), seed
    )
    chosen = [ProbeClip(clips[0], default), ProbeClip(larger, default)]
    if not network.pathways:
        return chosen
    few = 2 * network.num_frames
    many = np.geomspace(few, _MOST_BINS, 40).astype(int)
    numbers = sorted({*range(1, few), *many.tolist()})
    taken: List[Set[int]] = [set() for _ in network.pathways]
    # Prefer a clip with many values of B'.
    by_clip = [
        network.stable_lengths(frames, numbers, _ROUNDING) for frames in clips
    ]
    for place in sorted(
        range(len(clips)), key=lambda i: -sum(map(len, by_clip[i]))
    ):
        news = []
        for found, lengths in zip(by_clip[place], taken, strict=True):
            new = [found[length] for length in found if length not in lengths]
            lengths.update(found)
            news.append(new)
        for i in range(max(map(len, news))):
            # A pathway without new lengths repeats its lengths.
            own = tuple(
                new[i % len(new)] if new else next(iter(found.values()), 1)
                for new, found in zip(news, by_clip[place], strict=True)
            )
            chosen.append(ProbeClip(clips[place], own))
    return chosen


def make_clips(
    num_frames: int, size: Sequence[int], seed: int
) -> Iterator[Tensor]:
    """Generates clips of noise, with little to much motion.

    Args:
        num_frames (int): Number of frames T.
        size (Sequence[int]): Height and width of the frames.
        seed (int): Seed of the contents.

    Yields:
        Tensor: A clip, (T, H, W, 3), uint8. One is still, one has a cut, one
        gets brighter, one drifts, and in three every frame is new.
    """
    generator = torch.Generator().manual_seed(seed)

    def texture(count: int, cells: int) -> Tensor:
        noise = torch.rand(count, 3, cells, cells, generator=generator)
        return torch.nn.functional.interpolate(
            noise, size=size, mode='bilinear'
        )

    still = texture(1, 12).expand(num_frames, -1, -1, -1)
    yield _as_frames(still)
    time = torch.linspace(0, 1, num_frames)[:, None, None, None]
    cut = torch.where(time < 0.4, still, texture(1, 5))
    yield _as_frames(cut)
    yield _as_frames(still * (0.2 + 0.8 * time**2))
    far = texture(1, 24)
    yield _as_frames(still * (1 - time) + far * time)
    for share in (0.2, 0.5, 0.8):
        light = torch.rand(num_frames, 3, 1, 1, generator=generator)
        noise = texture(num_frames, 16)
        yield _as_frames(noise * (1 - share) + light * share)


def _as_frames(clip: Tensor) -> Tensor:
    return (clip.permute(0, 2, 3, 1) * 255).to(torch.uint8).contiguous()


@torch.no_grad()
def run_reference(recognizer: BaseRecognizer, clip: ProbeClip) -> Reference:
    """Runs the recognizer on a single clip in PyTorch.

    Args:
        recognizer (BaseRecognizer): The recognizer, in evaluation mode.
        clip (ProbeClip): The clip.

    Returns:
        Reference: Its scores and lengths.
    """
    if isinstance(recognizer, Recognizer2D):
        view = clip.frames.permute(0, 3, 1, 2)
    else:
        view = clip.frames.permute(3, 0, 1, 2)[None]
    data = dict(inputs=[view], data_samples=None)
    inputs = recognizer.data_preprocessor(data)['inputs']
    layers = sgs_layers(recognizer)
    if not layers:
        scores = recognizer(inputs, mode='tensor', stage='head')
        return Reference(scores.numpy(), [])
    own = get_num_bins(recognizer)
    set_num_bins(recognizer, dict(zip(layers, clip.num_bins, strict=True)))
    try:
        scores = recognizer(inputs, mode='tensor', stage='head')
    finally:
        set_num_bins(recognizer, own)
    lengths = [int(layer.groups.lengths) for layer in layers.values()]
    return Reference(scores.numpy(), lengths)


def compare(
    engine: Engine,
    info: ModelInfo,
    clips: Sequence[ProbeClip],
    references: Sequence[Reference],
    rtol: float,
    on_clip: Callable[[], None] = lambda: None,
) -> float:
    """Compares an engine with PyTorch.

    Args:
        engine (Engine): The engine, with the file loaded.
        info (ModelInfo): Metadata of the file.
        clips (Sequence[ProbeClip]): The clips.
        references (Sequence[Reference]): Results of PyTorch for the clips.
        rtol (float): Largest difference of the scores, relative to the
            largest score of the clip.
        on_clip (Callable): Called after each clip.

    Returns:
        float: The largest difference.

    Raises:
        ValueError: If the results differ; names the clip.
    """
    worst = 0.0
    for clip, reference in zip(clips, references, strict=True):
        inputs = dict(frames=clip.frames.numpy())
        if info.pathways:
            inputs['num_bins'] = np.array(clip.num_bins, dtype=np.int64)
        scores, *others = engine.run(list(info.outputs), inputs)
        lengths = others[0].tolist() if others else []
        where = (
            f"{engine.name}, on a clip of B'={reference.lengths} with "
            f'num_bins={list(clip.num_bins)}'
        )
        if lengths != reference.lengths:
            raise ValueError(
                f"the exported network gives B'={lengths} in {where}; the "
                'file is not saved'
            )
        scale = np.abs(reference.scores).max()
        difference = float(np.abs(scores - reference.scores).max() / scale)
        if not difference <= rtol:  # also if it is NaN
            raise ValueError(
                f'scores of the exported network differ by {difference:.2g} '
                f'of the largest, more than {rtol:.2g}, in {where}; the file '
                "is not saved. For kernel='linear', which amplifies "
                'rounding, raise rtol'
            )
        worst = max(worst, difference)
        on_clip()
    return worst
