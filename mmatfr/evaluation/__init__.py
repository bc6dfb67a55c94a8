"""Metrics for mmengine's evaluator."""

from .metrics import AdaptiveCostMetric, DensityMetric, TempoMetric

__all__ = ['AdaptiveCostMetric', 'DensityMetric', 'TempoMetric']
