"""Gains of a network from each step, and the fit of a head to them."""

from contextlib import contextmanager
from functools import partial
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmatfr.models.networks import evaluating, scorer
from mmatfr.sgs import SGS, LearnedPath, equal_groups, sgs_layers
from mmatfr.sgs.grouping import clamp_border
from mmatfr.sgs.similarity import find_steps

from .batches import numbered, refuse_not_finite

__all__ = [
    'FIT_BATCHES',
    'Steps',
    'find_gains',
    'fit_similarity',
    'learned_similarities',
]

# Number of batches that heads are fitted to by default.
FIT_BATCHES = 100
# Logarithm of the share of a step of length 0.
_NO_SHARE = -30.0
# Exponent of the gains; it suppresses small gains, which are noise.
_SHARPNESS = 1.5
# Weight of the loss that makes predicted shares sum to 1 on average.
_TOTAL = 0.1


class Steps(NamedTuple):
    """The steps between the frames that a layer sees.

    Attributes:
        features (Tensor): Pooled features of the frames, (N, T, C G^2).
        gain (Tensor): Gain of the network from the step from each frame to the
            next, (N, T - 1), not negative, in units of the scores.
    """

    features: Tensor
    gain: Tensor


def find_gains(recognizer: nn.Module, batch: Any) -> Dict[str, Steps]:
    """Computes the gain of a network from each step between frames.

    The network sees the clip up to frame t, which is repeated to the end, and
    from frame t on, which is repeated from the start. Let m be the score of
    the class that the network predicts for the whole clip, minus the mean over
    all classes; for a head with several tasks, their sum. The gain of a step
    is ``[m(..t) - m(..t-1)]+ + [m(t-1..) - m(t..)]+``: its contribution to the
    frames before it, and to those after it. No label is used, and no frames
    are grouped. The computation takes ``2 T - 1`` forwards.

    Args:
        recognizer (nn.Module): A trained recognizer of mmaction2, or network
            with its head, in evaluation mode.
        batch (Any): A batch, as for :func:`mmatfr.models.networks.scorer`.

    Returns:
        dict[str, Steps]: The steps for each sampling layer, by name.
    """
    layers = sgs_layers(recognizer)
    scores = scorer(recognizer, batch)
    with torch.no_grad(), _Frozen(layers.values()) as frozen:
        whole = scores()
        features = [torch.cat(clips) for clips in frozen.features]
        labels = [task.argmax(dim=1, keepdim=True) for task in whole]
        num_frames = [z.shape[1] for z in features]
        # Layers with fewer frames see the same period of time.
        times = max(num_frames, default=1)

        def margins(shown: List[Tensor]) -> Tensor:
            own = [
                task.gather(1, label).squeeze(1) - task.mean(dim=1)
                for task, label in zip(shown, labels, strict=True)
            ]
            return torch.stack(own).sum(dim=0)

        def part(first: int, last: int) -> Tensor:
            frozen.interval = first, last, times
            return margins(scores())

        all_of_it = margins(whole)
        until = torch.stack(
            [*(part(0, t) for t in range(times - 1)), all_of_it], 1
        )
        since = torch.stack(
            [all_of_it, *(part(t, times - 1) for t in range(1, times))], 1
        )
    found = {}
    for name, z, length in zip(layers, features, num_frames, strict=True):
        first = -(-torch.arange(length) * times // length)
        last = torch.cat([first[1:] - 1, first.new_tensor([times - 1])])
        before = until[:, last].diff(dim=1).relu()
        after = -since[:, first].diff(dim=1)
        found[name] = Steps(z, before + after.relu())
    return found


class _Frozen:
    """Makes layers group nothing and see a part of each clip."""

    def __init__(self, layers: Iterable[SGS]) -> None:
        self.layers = list(layers)
        self.features: List[List[Tensor]] = [[] for _ in self.layers]
        # First and last visible time step, and their total number; None shows
        # the whole clip and records its features.
        self.interval: Optional[Tuple[int, int, int]] = None

    def __enter__(self) -> '_Frozen':
        self.binnings = [layer.binning for layer in self.layers]
        self.handles = [
            layer.register_forward_pre_hook(partial(self._show, seen))
            for layer, seen in zip(self.layers, self.features, strict=True)
        ]
        for layer in self.layers:
            layer.binning = lambda magnitude: equal_groups(
                magnitude, magnitude.shape[1]
            )
        return self

    def __exit__(self, *_) -> None:
        for handle in self.handles:
            handle.remove()
        for layer, binning in zip(self.layers, self.binnings, strict=True):
            layer.binning = binning

    def _show(
        self, seen: List[Tensor], layer: SGS, args: Tuple[Tensor]
    ) -> Tuple[Tensor]:
        (x,) = args
        if self.interval is None:
            seen.append(layer.pool(x))
            return args
        frames = torch.arange(x.shape[2], device=x.device)
        *ends, times = self.interval
        first, last = (time * x.shape[2] // times for time in ends)
        return (x[:, :, frames.clamp(first, last)],)


def learned_similarities(recognizer: nn.Module) -> Dict[str, SGS]:
    """Finds the layers with a similarity that has a head to fit.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2.

    Returns:
        dict[str, SGS]: The layers by name.
    """
    return {
        name: layer
        for name, layer in sgs_layers(recognizer).items()
        if isinstance(layer.similarity, LearnedPath)
    }


def fit_similarity(
    recognizer: nn.Module,
    batches: Iterable[Any],
    epochs: int = 48,
    lr: float = 3e-3,
    batch_size: int = 24,
) -> Dict[str, float]:
    """Fits the heads of a trained recognizer; its other weights do not change.

    The head of each :class:`mmatfr.sgs.LearnedPath` learns to predict from
    features the share of each step in the gains of its clip
    (:func:`find_gains`), raised to the power of 1.5.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2, with the weights of
            the network without sampling.
        batches (Iterable): Batches of the data loader; each is used once.
        epochs (int): Number of passes over all steps, with random reversals in
            time and space. Defaults to 48.
        lr (float): Learning rate of AdamW, with cosine decay to 0. Defaults to
            3e-3.
        batch_size (int): Number of clips per iteration. Defaults to 24.

    Returns:
        dict[str, float]: By name of the layer, the part of the divergence
        between the shares of these clips and equal shares that the head
        explains, at most 1.

    Raises:
        ValueError: If no layer has such a head, there is no batch, the clips
            differ in their number of frames, gains or features are not finite,
            or there are no steps to compare: the clips have too few frames,
            are still, or the network gains the same from all steps.
    """
    layers = learned_similarities(recognizer)
    if not layers:
        raise ValueError(
            'the recognizer has no similarity to fit; set '
            "similarity='learned_path' in its sgs"
        )
    steps: Dict[str, List[Steps]] = {name: [] for name in layers}
    with evaluating(recognizer):
        for number, batch in numbered(batches):
            found = find_gains(recognizer, batch)
            for name in layers:
                _check_steps(name, number, found[name], *steps[name][:1])
                steps[name].append(found[name])
    return {
        name: _fit(
            name,
            layer,
            Steps(*map(torch.cat, zip(*steps[name], strict=True))),
            epochs,
            lr,
            batch_size,
        )
        for name, layer in layers.items()
    }


def _check_steps(
    name: str, number: int, steps: Steps, first: Optional[Steps] = None
) -> None:
    """Checks the steps of a batch, also against those of the first."""
    refuse_not_finite(number, f'gains or features at {name}', *steps)
    own = steps.features.shape[1]
    expected = own if first is None else first.features.shape[1]
    if own != expected:
        raise ValueError(
            f'the clips of batch {number} have {own} frames at {name}, those '
            f'of batch 0 have {expected}; use clips of one length to fit a '
            'head'
        )


def _fit(
    name: str,
    layer: SGS,
    steps: Steps,
    epochs: int,
    lr: float,
    batch_size: int,
) -> float:
    """Fits one head and returns the explained part of the divergence."""
    head = layer.similarity
    assert isinstance(head, LearnedPath)
    features = layer.replicate_inner(steps.features)
    num_clips, num_frames, _ = features.shape
    inner = num_frames - 2 * clamp_border(layer.border, num_frames)
    if inner < 3:
        raise ValueError(
            f'{name} sees {inner} of the frames of a clip apart from its '
            'border, and so not two steps to compare; use longer clips, an '
            'earlier stage or a smaller border'
        )
    # Steps of length 0, as at the border, have nothing to predict.
    moved = (find_steps(features) != 0).any(dim=-1)
    seen = moved.any(dim=1)
    if not seen.any():
        raise ValueError(
            f'all {num_clips} clips are still, so there are no steps to '
            'learn from; use videos in which something moves'
        )
    features, moved = features[seen], moved[seen]
    target = steps.gain[seen].pow(_SHARPNESS) * moved
    target = target / target.sum(dim=1, keepdim=True).clamp_min(
        torch.finfo(target.dtype).tiny
    )
    # What a head leaves that finds all steps equal.
    even = _divergence(
        target, torch.zeros_like(target).masked_fill(~moved, _NO_SHARE)
    )
    if even <= torch.finfo(target.dtype).eps:
        raise ValueError(
            f'the network gains nothing, or the same, from every step of the '
            f'{num_clips} clips at {name}, so there is nothing to learn; use '
            'the weights of a trained network, and clips that change more '
            'than once'
        )

    def predict(clips: Tensor, turned: Sequence[int] = ()) -> Tensor:
        # Clips, time, channels, and the two axes of the grid.
        cells = features[clips].unflatten(2, (-1, layer.grid, layer.grid))
        scores = head.log_steps(cells.flip(turned).flatten(2))
        # Back in the order of time.
        scores = scores.flip(1) if 1 in turned else scores
        return scores.masked_fill(~moved[clips], _NO_SHARE)

    optimizer = torch.optim.AdamW(head.parameters(), lr=lr, weight_decay=0.01)
    num_iters = epochs * -(-len(target) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_iters)
    with _learning(head):
        for _ in range(epochs):
            for clips in torch.randperm(len(target)).split(batch_size):
                # A step matters equally in either direction of time and space.
                turned = [axis for axis in (1, 3, 4) if torch.rand(()) < 0.5]
                scores = predict(clips, turned)
                # Shares have the right scale on average. Per clip, a head that
                # sees a few steps at once would have to know their sum.
                total = scores.logsumexp(dim=1).mean().square()
                loss = _divergence(target[clips], scores) + _TOTAL * total
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    with torch.no_grad():
        parts = torch.arange(len(target)).split(batch_size)
        scores = torch.cat([predict(clips) for clips in parts])
    return float(1 - _divergence(target, scores) / even)


@contextmanager
def _learning(head: nn.Module) -> Iterator[None]:
    """Lets the parameters of a head have gradients meanwhile."""
    wanted = [p.requires_grad for p in head.parameters()]
    head.requires_grad_(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter, wants in zip(head.parameters(), wanted, strict=True):
            parameter.requires_grad_(wants)
            parameter.grad = None


def _divergence(target: Tensor, scores: Tensor) -> Tensor:
    """Kullback-Leibler divergence of predicted from true shares."""
    logs = scores.log_softmax(dim=1)
    return F.kl_div(logs, target, reduction='batchmean')
