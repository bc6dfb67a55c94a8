"""The proof that an engine computes what PyTorch computes."""

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
from mmaction.models.recognizers import Recognizer2D
from torch import Tensor, nn

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

# Frames are not told apart by less, relative to the largest magnitude:
# engines round differently.
_ROUNDING = 1e-5
# Numbers of bins that are tried for clips of T frames.
_MOST_BINS = 2**14


class ProbeClip(NamedTuple):
    """A clip to compare on.

    Attributes:
        frames (Tensor): (T, H, W, 3), uint8.
        num_bins (tuple[int]): Number of bins of each pathway.
    """

    frames: Tensor
    num_bins: Tuple[int, ...]


class Reference(NamedTuple):
    """What the recognizer says of a clip, in PyTorch.

    Attributes:
        scores (ndarray): (1, K).
        lengths (list[int]): B' of each pathway.
    """

    scores: np.ndarray
    lengths: List[int]


def choose_clips(
    network: ClipNetwork, size: Tuple[int, int], seed: int = 0
) -> List[ProbeClip]:
    """Makes clips whose B' go from 1 to T.

    Clips from still to restless are tried with many numbers of bins. Those
    are taken whose groups rounding cannot change.

    Args:
        network (ClipNetwork): The network.
        size (tuple[int]): Height and width of the frames.
        seed (int): Of what the clips show. Defaults to 0.

    Returns:
        list[ProbeClip]: One for each B' that can be had, and two with the
        numbers of bins of the config, of which one has another size.
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
    # A clip of which B' can be many ways stands for those of few.
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
            # A pathway without new lengths repeats its own.
            own = tuple(
                new[i % len(new)] if new else next(iter(found.values()), 1)
                for new, found in zip(news, by_clip[place], strict=True)
            )
            chosen.append(ProbeClip(clips[place], own))
    return chosen


def make_clips(
    num_frames: int, size: Tuple[int, int], seed: int
) -> Iterator[Tensor]:
    """Makes clips of noise, from still to restless.

    Args:
        num_frames (int): Number of frames T.
        size (tuple[int]): Height and width of the frames.
        seed (int): Of what the clips show.

    Yields:
        Tensor: A clip, (T, H, W, 3), uint8: still, with one cut, ever
        brighter, drifting, and three in which every frame is new.
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
def run_reference(recognizer: nn.Module, clip: ProbeClip) -> Reference:
    """Runs the recognizer itself, alone on a clip.

    Args:
        recognizer (nn.Module): In evaluation mode.
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
        engine (Engine): With the file in it.
        info (ModelInfo): What the file says of itself.
        clips (Sequence[ProbeClip]): The clips.
        references (Sequence[Reference]): What PyTorch says of them.
        rtol (float): Largest difference of the scores, relative to the
            largest score of the clip.
        on_clip (Callable): Called after each.

    Returns:
        float: The largest difference.

    Raises:
        ValueError: If they differ, with the clip.
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
                f"the exported network makes B'={lengths} in {where}; the "
                'file is not kept'
            )
        scale = np.abs(reference.scores).max()
        difference = float(np.abs(scores - reference.scores).max() / scale)
        if not difference <= rtol:  # nor if it is NaN
            raise ValueError(
                f'scores of the exported network differ by {difference:.2g} '
                f'of the largest, more than {rtol:.2g}, in {where}; the file '
                'is not kept'
            )
        worst = max(worst, difference)
        on_clip()
    return worst
