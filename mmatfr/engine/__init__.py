"""Hooks for mmengine's runner."""

from .hooks import (
    DistillationHook,
    FitSimilarityHook,
    GroupsVisualizationHook,
    NumClassesCheckHook,
    RandomBinsHook,
    TemporalResolutionHook,
)

__all__ = [
    'DistillationHook',
    'FitSimilarityHook',
    'GroupsVisualizationHook',
    'NumClassesCheckHook',
    'RandomBinsHook',
    'TemporalResolutionHook',
]
