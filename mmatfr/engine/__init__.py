"""Hooks for mmengine's runner."""

from .hooks import (
    FitSimilarityHook,
    GroupsVisualizationHook,
    NumClassesCheckHook,
    TemporalResolutionHook,
)

__all__ = [
    'FitSimilarityHook',
    'GroupsVisualizationHook',
    'NumClassesCheckHook',
    'TemporalResolutionHook',
]
