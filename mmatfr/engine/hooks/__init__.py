from .distillation_hook import DistillationHook
from .fit_similarity_hook import FitSimilarityHook
from .groups_visualization_hook import GroupsVisualizationHook
from .num_classes_check_hook import NumClassesCheckHook
from .random_bins_hook import RandomBinsHook
from .temporal_resolution_hook import TemporalResolutionHook

__all__ = [
    'DistillationHook',
    'FitSimilarityHook',
    'GroupsVisualizationHook',
    'NumClassesCheckHook',
    'RandomBinsHook',
    'TemporalResolutionHook',
]
