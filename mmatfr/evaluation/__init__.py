"""Metrics for mmengine's evaluator."""

from .metrics import AdaptiveCostMetric

__all__ = ['AdaptiveCostMetric']
