from .adaptive_cost_metric import AdaptiveCostMetric

__all__ = ['AdaptiveCostMetric']
