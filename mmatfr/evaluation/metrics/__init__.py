from .adaptive_cost_metric import AdaptiveCostMetric
from .density_metric import DensityMetric
from .task_acc_metric import TaskAccMetric
from .tempo_metric import TempoMetric

__all__ = [
    'AdaptiveCostMetric',
    'DensityMetric',
    'TaskAccMetric',
    'TempoMetric',
]
