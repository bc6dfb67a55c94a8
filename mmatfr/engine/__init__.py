"""Hooks for mmengine's runner."""

from .hooks import (
    GroupsVisualizationHook,
    NumClassesCheckHook,
    TemporalResolutionHook,
)

__all__ = [
    'GroupsVisualizationHook',
    'NumClassesCheckHook',
    'TemporalResolutionHook',
]
