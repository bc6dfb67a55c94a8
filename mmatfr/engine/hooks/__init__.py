from .num_classes_check_hook import NumClassesCheckHook
from .temporal_resolution_hook import TemporalResolutionHook

__all__ = ['NumClassesCheckHook', 'TemporalResolutionHook']
