"""How much a network makes of each step, and a head that learns to say so."""

from contextlib import contextmanager
from typing import Dict, Iterable, Iterator, List, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmatfr.sgs import SGS, LearnedPath, equal_groups, sgs_layers
from mmatfr.sgs.similarity import find_steps

__all__ = [
    'Steps',
    'find_sensitivities',
    'fit_similarity',
    'learned_similarities',
]

# Logarithm of the share of a step that is none.
_NO_SHARE = -30.0
# Weight of the loss that makes predicted shares add up to 1 on average.
_TOTAL = 0.1


class Steps(NamedTuple):
    """The steps between the frames that a layer sees.

    Attributes:
        features (Tensor): Pooled features of the frames, (N, T, C G^2).
        sensitivity (Tensor): How much the network makes of the step from each
            frame to the next, (N, T - 1), in units of the loss.
    """

    features: Tensor
    sensitivity: Tensor


def find_sensitivities(recognizer: nn.Module, batch: dict) -> Dict[str, Steps]:
    """Weighs the steps between frames by what the network makes of them.

    No frames are grouped. With x the input of a layer and g the gradient there
    of the cross-entropy with the network's own prediction, a step weighs
    ``s_t = |sum g_t (x_t - x_(t-1))|``, the sum over channels and places: what
    changes and is not looked at weighs nothing. No label is used.

    Args:
        recognizer (nn.Module): A trained recognizer of mmaction2, in
            evaluation mode.
        batch (dict): What the data loader gives.

    Returns:
        dict[str, Steps]: For each layer that samples, by its name.
    """
    layers = sgs_layers(recognizer)
    data = recognizer.data_preprocessor(batch, False)
    with torch.enable_grad(), _every_frame(layers.values()) as inputs:
        scores = recognizer(**data, mode='tensor', stage='head')
        loss = F.cross_entropy(scores, scores.argmax(dim=1), reduction='sum')
        gradients = iter(torch.autograd.grad(loss, sum(inputs, [])))
    found = {}
    with torch.no_grad():
        for (name, layer), clips in zip(layers.items(), inputs):
            steps = []
            for x in clips:
                change = next(gradients)[:, :, 1:] * x.diff(dim=2)
                change = change.sum(dim=(1, 3, 4)).abs()
                steps.append(Steps(layer.pool(x), change))
            found[name] = Steps(*map(torch.cat, zip(*steps)))
    return found


@contextmanager
def _every_frame(layers: Iterable[SGS]) -> Iterator[List[List[Tensor]]]:
    """Groups nothing, and yields what each layer is handed, with gradient."""
    own, handles, inputs = [], [], []

    def watch(layer: SGS, seen: List[Tensor]) -> None:
        def take_down(layer: nn.Module, args: tuple) -> tuple:
            (x,) = args
            seen.append(x if x.requires_grad else x.requires_grad_())
            return (seen[-1],)

        inputs.append(seen)
        handles.append(layer.register_forward_pre_hook(take_down))
        own.append((layer, layer.binning))
        layer.binning = lambda magnitude: equal_groups(
            magnitude, magnitude.shape[1]
        )

    try:
        for layer in layers:
            watch(layer, [])
        yield inputs
    finally:
        for handle in handles:
            handle.remove()
        for layer, binning in own:
            layer.binning = binning


def learned_similarities(recognizer: nn.Module) -> Dict[str, SGS]:
    """Finds the layers whose similarity has a head to fit.

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
    batches: Iterable[dict],
    epochs: int = 12,
    lr: float = 3e-3,
    batch_size: int = 24,
) -> Dict[str, float]:
    """Fits the heads of a trained recognizer, and nothing else of it.

    Each head of a :class:`mmatfr.sgs.LearnedPath` learns to predict, from
    features alone, the share of each step in what :func:`find_sensitivities`
    says of all steps of its clip.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2, with the weights of
            the network without sampling.
        batches (Iterable[dict]): What the data loader gives; each is looked
            at once.
        epochs (int): How often the heads see all steps. Defaults to 12.
        lr (float): Learning rate of AdamW, which falls to 0 along a cosine.
            Defaults to 3e-3.
        batch_size (int): Number of clips of an iteration. Defaults to 24.

    Returns:
        dict[str, float]: For each head by the name of its layer, how much it
        explains of the divergence of the shares of these clips from equal
        ones, at most 1.

    Raises:
        ValueError: If no layer has such a head, or all clips are still.
    """
    layers = learned_similarities(recognizer)
    if not layers:
        raise ValueError(
            'the recognizer has no similarity to fit; set '
            "similarity='learned_path' in its sgs"
        )
    was_training = recognizer.training
    recognizer.eval()
    try:
        steps: Dict[str, List[Steps]] = {name: [] for name in layers}
        for batch in batches:
            found = find_sensitivities(recognizer, batch)
            for name in layers:
                steps[name].append(found[name])
    finally:
        recognizer.train(was_training)
    return {
        name: _fit(
            layer,
            Steps(*map(torch.cat, zip(*steps[name]))),
            epochs,
            lr,
            batch_size,
        )
        for name, layer in layers.items()
    }


def _fit(
    layer: SGS, steps: Steps, epochs: int, lr: float, batch_size: int
) -> float:
    """Fits one head; returns how much it explains."""
    head = layer.similarity
    features = layer._replicate_inner(steps.features)
    # Where no step is seen, as at a border, there is nothing to predict.
    moved = (find_steps(features) != 0).any(dim=-1)
    seen = moved.any(dim=1)
    if not seen.any():
        raise ValueError(
            f'all {len(seen)} clips are still, so that there are no steps to '
            'learn from; name a list of videos in which something happens'
        )
    features, moved = features[seen], moved[seen]
    target = steps.sensitivity[seen] * moved
    target = target / target.sum(dim=1, keepdim=True).clamp_min(
        torch.finfo(target.dtype).tiny
    )

    def predict(clips: Tensor) -> Tensor:
        return head.log_steps(features[clips]).masked_fill(
            ~moved[clips], _NO_SHARE
        )

    optimizer = torch.optim.AdamW(head.parameters(), lr=lr, weight_decay=0.01)
    wanted = [p.requires_grad for p in head.parameters()]
    head.requires_grad_(True)
    num_iters = epochs * -(-len(target) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_iters)
    with torch.enable_grad():
        for _ in range(epochs):
            for clips in torch.randperm(len(target)).split(batch_size):
                scores = predict(clips)
                # Shares as they are on average, and not up to a factor; of
                # each clip it would ask a head that sees three steps at once
                # for the sum of all.
                total = scores.logsumexp(dim=1).mean().square()
                loss = _divergence(target[clips], scores) + _TOTAL * total
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    for parameter, wants in zip(head.parameters(), wanted):
        parameter.requires_grad_(wants)
        parameter.grad = None
    with torch.no_grad():
        parts = torch.arange(len(target)).split(batch_size)
        scores = torch.cat([predict(clips) for clips in parts])
        even = torch.zeros_like(scores).masked_fill(~moved, _NO_SHARE)
        left = _divergence(target, scores) / _divergence(target, even)
    return float(1 - left)


def _divergence(target: Tensor, scores: Tensor) -> Tensor:
    """Kullback-Leibler divergence of predicted from true shares."""
    logs = scores.log_softmax(dim=1)
    return F.kl_div(logs, target, reduction='batchmean')
