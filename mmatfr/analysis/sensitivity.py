"""How much a network makes of each step, and a head that learns to say so."""

from contextlib import contextmanager
from typing import Dict, Iterable, Iterator, List, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmatfr.sgs import SGS, LearnedPath, equal_groups

from .layers import sgs_layers

__all__ = [
    'Steps',
    'find_sensitivities',
    'fit_similarity',
    'learned_similarities',
]

# Least share of a step, relative to the mean of its clip: the logarithm of
# less is a matter of noise.
_LEAST_SHARE = 1e-3


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
    ``s_t = sum_cells |mean_cell g_t (x_t - x_(t-1))|``: what changes and is
    not looked at weighs nothing. No label is used.

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
                weighed = next(gradients)[:, :, 1:] * x.diff(dim=2)
                weighed = layer.pool(weighed).abs().sum(dim=-1)
                steps.append(Steps(layer.pool(x), weighed))
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
    epochs: int = 30,
    lr: float = 3e-3,
    batch_size: int = 24,
) -> Dict[str, float]:
    """Fits the heads of a trained recognizer, and nothing else of it.

    Each head of a :class:`mmatfr.sgs.LearnedPath` learns to predict, from
    features alone, the logarithm of what :func:`find_sensitivities` says of
    a step, relative to the mean of its clip.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2, with the weights of
            the network without sampling.
        batches (Iterable[dict]): What the data loader gives; each is looked
            at once.
        epochs (int): How often the heads see all steps. Defaults to 30.
        lr (float): Learning rate of AdamW, which falls to 0 along a cosine.
            Defaults to 3e-3.
        batch_size (int): Number of clips of an iteration. Defaults to 24.

    Returns:
        dict[str, float]: For each head by the name of its layer, the share of
        the variance of the logarithms that it explains on these clips.

    Raises:
        ValueError: If no layer has such a head.
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
    """Fits one head; returns the share of the variance that it explains."""
    head = layer.similarity
    features = layer._replicate_inner(steps.features)
    share = steps.sensitivity / steps.sensitivity.mean(
        dim=1, keepdim=True
    ).clamp_min(torch.finfo(steps.sensitivity.dtype).tiny)
    target = share.clamp_min(_LEAST_SHARE).log()
    optimizer = torch.optim.AdamW(head.parameters(), lr=lr, weight_decay=0.01)
    wanted = [p.requires_grad for p in head.parameters()]
    head.requires_grad_(True)
    num_iters = epochs * -(-len(target) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_iters)
    with torch.enable_grad():
        for _ in range(epochs):
            for clips in torch.randperm(len(target)).split(batch_size):
                loss = F.mse_loss(
                    head.log_steps(features[clips]), target[clips]
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    for parameter, wants in zip(head.parameters(), wanted):
        parameter.requires_grad_(wants)
        parameter.grad = None
    with torch.no_grad():
        parts = range(0, len(target), batch_size)
        error = sum(
            (
                head.log_steps(features[i : i + batch_size])
                - target[i : i + batch_size]
            )
            .square()
            .sum()
            for i in parts
        )
    return float(1 - error / (target - target.mean()).square().sum())
