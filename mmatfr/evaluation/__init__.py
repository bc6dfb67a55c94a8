"""Metrics for mmengine's evaluator."""

from .metrics import AdaptiveCostMetric, TempoMetric

__all__ = ['AdaptiveCostMetric', 'TempoMetric']
