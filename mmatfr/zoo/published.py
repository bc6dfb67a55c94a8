"""Published rows beside the figures counted from their configs."""

from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from mmatfr.apis import build_recognizer, load_config, without_sampling
from mmatfr.cost import CostModel, lengths_at

from .metafile import count

__all__ = ['EXPLAINED', 'PublishedRow', 'compare_published', 'resolution_at']

# Relative deviations up to which a counted figure is the published one.
GFLOPS_TOLERANCE = 0.015
PARAMETERS_TOLERANCE = 0.01
# Published figures that differ from the counted ones for known reasons.
EXPLAINED = {
    ('GFLOPs', 1.9): 'arXiv:2011.08652 has cut 1.96, the figure of '
    'arXiv:2004.04730, to 1.9',
}


@dataclass(frozen=True)
class PublishedRow:
    """A published model and its config.

    Attributes:
        name (str): Name of the config.
        clip_shape (tuple[int]): (C, T, H, W).
        published_gflops (float): Of a clip without sampling.
        gflops (float): The same, counted from the config at T bins.
        base_gflops (float): Counted without the layers that sample.
        published_parameters (float, optional): In millions.
        parameters (float): The same, counted.
        adaptive_gflops (float, optional): Published with sampling.
        resolution (float, optional): B'/T at which that figure is reached.
        num_frames (tuple[int]): T of each layer that samples.
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
        """float: Of the counted from the published GFLOPs, relative."""
        return self.gflops / self.published_gflops - 1

    @property
    def parameters_deviation(self) -> Optional[float]:
        """float | None: Of the parameters, relative."""
        if self.published_parameters is None:
            return None
        return self.parameters / self.published_parameters - 1

    @property
    def explanation(self) -> Optional[str]:
        """str | None: Why a figure is not within the tolerance."""
        return EXPLAINED.get(('GFLOPs', self.published_gflops))

    @property
    def agrees(self) -> bool:
        """bool: Whether both figures are within the tolerances, or
        explained."""
        parameters = self.parameters_deviation or 0.0
        return (
            abs(self.gflops_deviation) <= GFLOPS_TOLERANCE
            or self.explanation is not None
        ) and abs(parameters) <= PARAMETERS_TOLERANCE


def resolution_at(
    cost: CostModel, clip_shape: Tuple[int, ...], gflops: float
) -> float:
    """Finds the temporal resolution at which a clip costs so much.

    All layers that sample keep the same share of their frames.

    Args:
        cost (CostModel): Of a recognizer that samples.
        clip_shape (tuple[int]): (C, T, H, W).
        gflops (float): The cost.

    Returns:
        float: B'/T, linear between the possible resolutions.

    Raises:
        ValueError: If no resolution costs so much.
    """
    points = lengths_at(cost.num_frames(clip_shape))

    def spent(place: int) -> float:
        return cost.gflops(clip_shape, points[place][1])

    if not spent(0) <= gflops <= spent(-1):
        raise ValueError(
            f'{gflops} GFLOPs are not among the {spent(0):.4g} to '
            f'{spent(-1):.4g} that a clip of {clip_shape} can cost'
        )
    above = bisect_left(range(len(points)), gflops, lo=1, key=spent)
    (share, _), (next_share, _) = points[above - 1 : above + 1]
    low, high = spent(above - 1), spent(above)
    return share + (next_share - share) * (gflops - low) / (high - low)


def compare_published(entry: Dict[str, Any], root: Path) -> PublishedRow:
    """Counts what a published model costs and compares.

    Args:
        entry (dict): Entry of a metafile that has ``Published``.
        root (Path): The folder that ``configs`` is in.

    Returns:
        PublishedRow: Both.
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
