"""Hooks for mmengine's runner."""

from .hooks import (
    FitSimilarityHook,
    GroupsVisualizationHook,
    NumClassesCheckHook,
    RandomBinsHook,
    TemporalResolutionHook,
)

__all__ = [
    'FitSimilarityHook',
    'GroupsVisualizationHook',
    'NumClassesCheckHook',
    'RandomBinsHook',
    'TemporalResolutionHook',
]
