"""Number of bins of a recognizer for a share of its cost."""

from itertools import islice
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from mmatfr.cost.calibration import pick_bins, try_bins
from mmatfr.cost.model import CostModel
from mmatfr.models import ATFR
from mmatfr.models.networks import backbone_of
from mmatfr.models.segments import frames_of
from mmatfr.sgs import SGS, Binning, set_num_bins, sgs_layers
from mmatfr.sgs.grouping import clamp_border
from mmatfr.sgs.layer import own_range
from mmatfr.sgs.similarity import path, path_squared

from .preparation import SEEN_BATCHES, calibrate_bin_range
from .sensitivity import FIT_BATCHES, fit_similarity, learned_similarities

__all__ = [
    'Clips',
    'imagine_even_clip',
    'fit_bins_to_budget',
    'prepare_layers',
]

# Largest number of bins to try, as a multiple of the number of frames. Bins of
# one width for all clips may be narrower than the steps of a clip.
_MOST_BINS = 4


class Clips(NamedTuple):
    """Clips of one shape.

    Attributes:
        shape (tuple[int]): (C, T, H, W).
        magnitudes (dict[str, Tensor]): Magnitudes of the frames by layer, (N,
            T').
    """

    shape: Tuple[int, ...]
    magnitudes: Dict[str, Tensor]


def imagine_even_clip(
    model: nn.Module, cost: CostModel, shape: Tuple[int, ...]
) -> Clips:
    """Returns a clip that changes equally from each frame to the next.

    It has the most groups that a clip can have.

    Raises:
        ValueError: If the number of bins does not bound the number of groups.
    """
    magnitudes = {}
    layers = sgs_layers(model)
    for name, layer in layers.items():
        _require_bound(name, layer)
    for name, frames in zip(layers, cost.num_frames(shape), strict=True):
        border = clamp_border(layers[name].border, frames)
        steps = torch.arange(frames).clamp(border, frames - 1 - border)
        walked = (steps - border).float()
        magnitudes[name] = walked[None] / own_range(walked.max())
    return Clips(shape, magnitudes)


def _require_bound(name: str, layer: SGS) -> None:
    """Checks that a clip has no more groups than bins, besides its border."""
    assert isinstance(layer.binning, Binning)
    # Of these, the frames of a bin are neighbours in any case.
    if layer.binning.contiguous and layer.similarity not in (
        path,
        path_squared,
    ):
        raise ValueError(
            f'with contiguous=True at {name} a bin can have many groups, so '
            'no number of bins keeps every clip within the budget; set clips, '
            "num_bins, contiguous=False or similarity='path'"
        )


def prepare_layers(
    model: nn.Module, clips: Iterable[Any], num_batches: Optional[int] = None
) -> List[Clips]:
    """Prepares the layers on clips, and records the magnitudes.

    Args:
        model (nn.Module): A model that samples.
        clips (Iterable): Batches, read once.
        num_batches (int, optional): Number of batches to use. Defaults to
            None, 100 if there are heads to fit, otherwise 20.

    Returns:
        list[Clips]: The clips of each forward.

    Raises:
        ValueError: As :func:`mmatfr.apis.sensitivity.fit_similarity` and
            :func:`calibrate_bin_range`.
    """
    layers = sgs_layers(model)
    frames = frames_of(model)
    seen: List[Clips] = []
    rows: Dict[str, List[Tensor]] = {name: [] for name in layers}

    def note(name: str, layer: SGS) -> None:
        magnitude = layer.magnitude
        if layer.bin_range == 'data':  # in the current units of the layer
            magnitude = magnitude * layer.running_peak.cpu()
        rows[name].append(magnitude)

    def note_clips(backbone: nn.Module, args: tuple, out: Any) -> None:
        _, *shape = args[0].shape
        if frames is not None:  # (N T, C, H, W)
            shape.insert(1, frames)
        seen.append(
            Clips(tuple(shape), {name: torch.cat(rows[name]) for name in rows})
        )
        for magnitudes in rows.values():
            magnitudes.clear()

    has_heads = bool(learned_similarities(model))
    if num_batches is None:
        num_batches = FIT_BATCHES if has_heads else SEEN_BATCHES
    batches: Iterable[Any] = islice(clips, num_batches)
    if has_heads:
        batches = [*batches]  # for both steps
        fit_similarity(model, batches)
    handles = [
        backbone_of(model).register_forward_hook(note_clips),
        *(
            layer.register_forward_hook(
                lambda layer, args, out, name=name: note(name, layer)
            )
            for name, layer in layers.items()
        ),
    ]
    try:
        calibrate_bin_range(model, batches)
    finally:
        for handle in handles:
            handle.remove()
    for name, layer in layers.items():
        if layer.bin_range == 'data' and layer.running_peak > 0:
            for batch in seen:
                batch.magnitudes[name] /= layer.running_peak.cpu()
    return seen


def fit_bins_to_budget(
    budget: float,
    model: nn.Module,
    full: CostModel,
    cost: CostModel,
    seen: List[Clips],
) -> None:
    """Sets the number of bins for a budget.

    Raises:
        ValueError: If the budget is out of reach.
    """
    layers = sgs_layers(model)

    def measure() -> Dict[str, float]:
        gflops: List[float] = []
        for shape, magnitudes in seen:
            lengths = [
                layers[name].binning(magnitude).lengths.tolist()
                for name, magnitude in magnitudes.items()
            ]
            gflops += [
                cost.gflops(shape, clip) for clip in zip(*lengths, strict=True)
            ]
        return dict(gflops=sum(gflops) / len(gflops))

    frames = {name: x.shape[1] for name, x in seen[0].magnitudes.items()}
    most = max(frames.values())

    def measure_with(number: int) -> Dict[str, Any]:
        bins = {
            name: max(1, round(number * own / most))
            for name, own in frames.items()
        }
        return try_bins(model, [bins], measure)[0]

    sizes = [
        clips.shape
        for clips in seen
        for _ in next(iter(clips.magnitudes.values()))
    ]
    total = sum(map(full.gflops, sizes)) / len(sizes)
    # Bisection: more bins cost more.
    low, high = 1, _MOST_BINS * most
    rows = [measure_with(low), measure_with(high)]
    while high - low > 1:
        middle = (low + high) // 2
        rows.append(measure_with(middle))
        if rows[-1]['gflops'] <= budget * total:
            low = middle
        else:
            high = middle
    best = pick_bins(rows, budget * total)
    if best is None:
        least, largest = (row['gflops'] / total for row in rows[:2])
        backbone = backbone_of(model)
        assert isinstance(backbone, ATFR)
        late = any(path.stage > 0 for path in backbone.pathways.values())
        raise ValueError(
            f'budget={budget} is out of reach: with sampling the cost is '
            f'{least:.2f} to {largest:.2f} of the multiply-adds; raise the '
            'budget' + (', or sample after an earlier stage' if late else '')
        )
    set_num_bins(model, best['bins'])
