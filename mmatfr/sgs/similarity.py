"""Magnitudes: how far each frame of a clip is from a point of reference.

Each function takes the similarity vectors Z of a batch, (N, T, D), and returns
their magnitudes Delta, (N, T). Any callable of that signature can take their
place.
"""

from typing import Callable, Dict, Union

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    'SIMILARITIES',
    'Similarity',
    'accumulate_steps',
    'cosine',
    'find_steps',
    'get_similarity',
    'l1',
    'l2',
    'norm',
    'path',
    'path_squared',
]

Similarity = Callable[[Tensor], Tensor]

# What the authors' code adds to every signed component of the difference from
# the mean (it is the default of ``torch.nn.functional.pairwise_distance``).
_PAIRWISE_EPS = 1e-6
# A step from frame to frame is none when it is less than rounding, relative to
# the largest vector of the clip.
_STEP_RTOL = 1e-6


def norm(z: Tensor) -> Tensor:
    """Delta_t = ||Z_t||, the similarity of the paper (Sec. 3.1).

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T).
    """
    return torch.linalg.vector_norm(z, dim=-1)


def l2(z: Tensor) -> Tensor:
    """Euclidean distance to the clip's mean vector (authors' code).

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T).
    """
    return torch.linalg.vector_norm(_from_mean(z), dim=-1)


def l1(z: Tensor) -> Tensor:
    """Manhattan distance to the clip's mean vector (authors' code).

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T).
    """
    return _from_mean(z).abs().sum(dim=-1)


def cosine(z: Tensor) -> Tensor:
    """One minus the cosine with the clip's mean vector (authors' code).

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T).
    """
    return 1 - F.cosine_similarity(z, z.mean(dim=1, keepdim=True), dim=-1)


def path(z: Tensor) -> Tensor:
    """Length of the path so far, ``Delta_t = sum_s<=t ||Z_s - Z_(s-1)||``.

    It never decreases, so that the frames of a bin are neighbours and the
    groups come in the order of time. A stretch without change costs one bin.

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T), of which the first is 0.
    """
    return accumulate_steps(torch.linalg.vector_norm(find_steps(z), dim=-1))


def path_squared(z: Tensor) -> Tensor:
    """As :func:`path`, of squared steps ``||Z_s - Z_(s-1)||^2``.

    Noise adds to every step; the square weighs it down against motion.

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T), of which the first is 0.
    """
    return accumulate_steps(find_steps(z).square().sum(dim=-1))


def find_steps(z: Tensor) -> Tensor:
    """Steps from each frame to the next.

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Steps, (N, T - 1, D), 0 if less than rounding.
    """
    steps = z.diff(dim=1)
    scale = z.detach().abs().amax(dim=(1, 2), keepdim=True)
    moved = steps.detach().abs().amax(dim=-1, keepdim=True)
    return steps.masked_fill(moved <= _STEP_RTOL * scale, 0.0)


def accumulate_steps(steps: Tensor) -> Tensor:
    """Length of the path so far, (N, T), by its steps, (N, T - 1)."""
    return F.pad(steps.cumsum(dim=1), (1, 0))


def _from_mean(z: Tensor) -> Tensor:
    return z.mean(dim=1, keepdim=True) - z + _PAIRWISE_EPS


SIMILARITIES: Dict[str, Similarity] = dict(
    norm=norm,
    l2=l2,
    l1=l1,
    cosine=cosine,
    path=path,
    path_squared=path_squared,
)


def get_similarity(similarity: Union[str, Similarity]) -> Similarity:
    """Looks a similarity up by name; a callable is its own.

    Raises:
        ValueError: If there is no similarity of that name.
    """
    if callable(similarity):
        return similarity
    if similarity not in SIMILARITIES:
        raise ValueError(
            f'similarity={similarity!r} is unknown; choose one '
            f'of {[*sorted(SIMILARITIES), "learned_path"]} or pass a '
            'function from (N, T, D) to (N, T)'
        )
    return SIMILARITIES[similarity]
