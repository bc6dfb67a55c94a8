"""Metrics for mmengine's evaluator."""

from .metrics import (
    AdaptiveCostMetric,
    DensityMetric,
    TaskAccMetric,
    TempoMetric,
)

__all__ = [
    'AdaptiveCostMetric',
    'DensityMetric',
    'TaskAccMetric',
    'TempoMetric',
]
