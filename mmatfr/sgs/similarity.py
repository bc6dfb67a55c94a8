"""Magnitudes: the distance of each frame from a point of reference.

Each function takes the similarity vectors Z of a batch, (N, T, D), and returns
their magnitudes Delta, (N, T). Any callable with this signature can replace
them. It should return equal magnitudes, or 0, for vectors that differ by
rounding alone, see :func:`drop_rounding`; negative values count as 0.
"""

from typing import Callable, Dict, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    'ROUNDING',
    'SIMILARITIES',
    'Similarity',
    'accumulate_steps',
    'cosine',
    'drop_rounding',
    'find_steps',
    'get_similarity',
    'is_rounding',
    'l1',
    'l2',
    'norm',
    'path',
    'path_squared',
]

Similarity = Callable[[Tensor], Tensor]

# Added by the authors' code to every signed component of the difference from
# the mean (the default of ``torch.nn.functional.pairwise_distance``).
_PAIRWISE_EPS = 1e-6
# Norm below which a vector has no direction (the default of
# ``torch.nn.functional.cosine_similarity``).
_COSINE_EPS = 1e-8
# Largest difference between vectors that counts as rounding, relative to the
# largest component in the clip. Single precision rounds to 1.2e-7, and the
# layers before accumulate several such errors.
ROUNDING = 1e-6


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
    """One minus the cosine to the clip's mean vector (authors' code).

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T).
    """
    units, no_direction = _directions(z)
    mean, no_mean = _directions(z.mean(dim=1, keepdim=True))
    # 1 - a b = |a - b|^2 / 2 for unit vectors: never negative, and accurate
    # for small angles, where 1 - a b cancels. A vector without a direction is
    # at right angles to all others.
    half = drop_rounding(units - mean, units).square().sum(dim=-1) / 2
    return half + (no_direction.to(z.dtype) + no_mean.to(z.dtype)) / 2


def _directions(z: Tensor) -> Tuple[Tensor, Tensor]:
    """Unit vectors, (N, T, D), 0 where there are none, and where, (N, T)."""
    length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    none = length <= _COSINE_EPS
    units = (z / length.masked_fill(none, 1.0)).masked_fill(none, 0.0)
    return units, none.squeeze(-1)


def path(z: Tensor) -> Tensor:
    """Length of the path up to t, ``Delta_t = sum_s<=t ||Z_s - Z_(s-1)||``.

    It never decreases, so groups are contiguous and in the order of time. A
    stretch without change takes one bin.

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T), of which the first is 0.
    """
    return accumulate_steps(torch.linalg.vector_norm(find_steps(z), dim=-1))


def path_squared(z: Tensor) -> Tensor:
    """Like :func:`path`, with squared steps ``||Z_s - Z_(s-1)||^2``.

    Noise adds to every step; squaring reduces its weight relative to motion.

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Magnitudes, (N, T), of which the first is 0.
    """
    return accumulate_steps(find_steps(z).square().sum(dim=-1))


def find_steps(z: Tensor) -> Tensor:
    """Computes the steps from each frame to the next.

    Args:
        z (Tensor): Similarity vectors, (N, T, D).

    Returns:
        Tensor: Steps, (N, T - 1, D), 0 if no more than rounding.
    """
    return drop_rounding(z.diff(dim=1), z)


def drop_rounding(differences: Tensor, z: Tensor) -> Tensor:
    """Sets differences to 0 that are no more than rounding.

    Args:
        differences (Tensor): Between similarity vectors, (N, S, D).
        z (Tensor): The vectors, (N, T, D); their largest component in a clip
            sets the scale of rounding.

    Returns:
        Tensor: The differences, (N, S, D). A difference becomes 0 if none of
            its components exceeds :data:`ROUNDING` times the largest of z.
    """
    rounding = is_rounding(differences, z, dim=(2,))
    return differences.masked_fill(rounding, 0.0)


def is_rounding(
    differences: Tensor, z: Tensor, dim: Tuple[int, ...]
) -> Tensor:
    """Returns where differences are no more than rounding.

    Args:
        differences (Tensor): Between similarity vectors, (N, S, D).
        z (Tensor): The vectors, (N, T, D).
        dim (tuple[int]): Axes over which all differences have to be.

    Returns:
        Tensor: True where no difference exceeds :data:`ROUNDING` times the
        largest component of z in the clip; bool, with size 1 along ``dim``.
    """
    scale = z.abs().amax(dim=(1, 2), keepdim=True)
    largest = differences.abs().amax(dim=dim, keepdim=True)
    return largest <= ROUNDING * scale


def accumulate_steps(steps: Tensor) -> Tensor:
    """Length of the path up to each frame, (N, T), from steps, (N, T - 1)."""
    return F.pad(steps.cumsum(dim=1), (1, 0))


def _from_mean(z: Tensor) -> Tensor:
    return drop_rounding(z.mean(dim=1, keepdim=True) - z, z) + _PAIRWISE_EPS


SIMILARITIES: Dict[str, Similarity] = dict(
    norm=norm,
    l2=l2,
    l1=l1,
    cosine=cosine,
    path=path,
    path_squared=path_squared,
)


def get_similarity(similarity: Union[str, Similarity]) -> Similarity:
    """Looks up a similarity by name; a callable is returned as it is.

    Raises:
        ValueError: If the name is unknown.
    """
    if callable(similarity):
        return similarity
    if not isinstance(similarity, str) or similarity not in SIMILARITIES:
        raise ValueError(
            f'similarity={similarity!r} is unknown; choose one '
            f'of {[*sorted(SIMILARITIES), "learned_path"]} or pass a '
            'function from (N, T, D) to (N, T)'
        )
    return SIMILARITIES[similarity]
