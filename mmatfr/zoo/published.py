"""Published figures, compared with those counted from the configs."""

from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from mmatfr.apis import build_recognizer, load_config, without_sampling
from mmatfr.cost import CostModel, lengths_at

from .metafile import count

__all__ = ['EXPLAINED', 'PublishedRow', 'compare_published', 'resolution_at']

# Relative deviations up to which counted and published figures agree.
GFLOPS_TOLERANCE = 0.015
PARAMETERS_TOLERANCE = 0.01
# Published figures that differ from the counted ones for known reasons.
EXPLAINED = {
    ('GFLOPs', 1.9): 'arXiv:2011.08652 truncates 1.96, the figure of '
    'arXiv:2004.04730, to 1.9',
}


@dataclass(frozen=True)
class PublishedRow:
    """A published model and its config.

    Attributes:
        name (str): Name of the config.
        clip_shape (tuple[int]): (C, T, H, W).
        published_gflops (float): Published GFLOPs of a clip without sampling.
        gflops (float): The same, counted from the config at T bins.
        base_gflops (float): Counted without the sampling layers.
        published_parameters (float, optional): Published parameters, in
            millions.
        parameters (float): The same, counted from the config.
        adaptive_gflops (float, optional): Published GFLOPs with sampling.
        resolution (float, optional): B'/T at which the counted GFLOPs equal
            this figure.
        num_frames (tuple[int]): T of each sampling layer.
    """

    name: str
    clip_shape: Tuple[int, ...]
    published_gflops: float
    gflops: float
    base_gflops: float
    published_parameters: Optional[float]
    parameters: float
    adaptive_gflops: Optional[float]
    resolution: Optional[float]
    num_frames: Tuple[int, ...]

    @property
    def gflops_deviation(self) -> float:
        """float: Relative deviation of the counted from the published
        GFLOPs."""
        return self.gflops / self.published_gflops - 1

    @property
    def parameters_deviation(self) -> Optional[float]:
        """float | None: Relative deviation of the parameters."""
        if self.published_parameters is None:
            return None
        return self.parameters / self.published_parameters - 1

    @property
    def explanation(self) -> Optional[str]:
        """str | None: Reason why a figure is not within the tolerance."""
        return EXPLAINED.get(('GFLOPs', self.published_gflops))

    @property
    def agrees(self) -> bool:
        """bool: Whether both deviations are within tolerance or explained."""
        parameters = self.parameters_deviation or 0.0
        return (
            abs(self.gflops_deviation) <= GFLOPS_TOLERANCE
            or self.explanation is not None
        ) and abs(parameters) <= PARAMETERS_TOLERANCE


def resolution_at(
    cost: CostModel, clip_shape: Tuple[int, ...], gflops: float
) -> float:
    """Finds the temporal resolution at which a clip has a given cost.

    All sampling layers keep the same share of their frames.

    Args:
        cost (CostModel): Cost model of a recognizer that samples.
        clip_shape (tuple[int]): (C, T, H, W).
        gflops (float): The cost.

    Returns:
        float: B'/T, interpolated linearly between possible resolutions.

    Raises:
        ValueError: If no resolution has this cost.
    """
    points = lengths_at(cost.num_frames(clip_shape))

    def spent(place: int) -> float:
        return cost.gflops(clip_shape, points[place][1])

    if not spent(0) <= gflops <= spent(-1):
        raise ValueError(
            f'{gflops} GFLOPs are out of range: a clip of {clip_shape} costs '
            f'{spent(0):.4g} to {spent(-1):.4g}'
        )
    above = bisect_left(range(len(points)), gflops, lo=1, key=spent)
    (share, _), (next_share, _) = points[above - 1 : above + 1]
    low, high = spent(above - 1), spent(above)
    return share + (next_share - share) * (gflops - low) / (high - low)


def compare_published(entry: Dict[str, Any], root: Path) -> PublishedRow:
    """Compares the published figures of a model with counted ones.

    Args:
        entry (dict): Entry of a metafile with ``Published``.
        root (Path): The folder that contains ``configs``.

    Returns:
        PublishedRow: Published and counted figures.
    """
    cfg = load_config(str(root / entry['Config']))
    cost, shape, parameters = count(cfg)
    published = entry['Published']
    plain = published.get('Without Sampling', published)
    adaptive = published.get('GFLOPs') if plain is not published else None
    given = published.get('Parameters')
    base = cost
    if cost.layers:
        base = CostModel(build_recognizer(without_sampling(cfg.model)))
    return PublishedRow(
        name=entry['Name'],
        clip_shape=shape,
        published_gflops=plain['GFLOPs'],
        gflops=cost.gflops(shape),
        base_gflops=base.gflops(shape),
        published_parameters=given and float(given.removesuffix('M')),
        parameters=parameters / 1e6,
        adaptive_gflops=adaptive,
        resolution=adaptive and resolution_at(cost, shape, adaptive),
        num_frames=cost.num_frames(shape),
    )
