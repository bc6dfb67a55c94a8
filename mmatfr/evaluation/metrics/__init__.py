from .adaptive_cost_metric import AdaptiveCostMetric
from .density_metric import DensityMetric
from .tempo_metric import TempoMetric

__all__ = ['AdaptiveCostMetric', 'DensityMetric', 'TempoMetric']
