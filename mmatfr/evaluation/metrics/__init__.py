from .adaptive_cost_metric import AdaptiveCostMetric
from .tempo_metric import TempoMetric

__all__ = ['AdaptiveCostMetric', 'TempoMetric']
