"""Hooks for mmengine's runner."""

from .hooks import NumClassesCheckHook, TemporalResolutionHook

__all__ = ['NumClassesCheckHook', 'TemporalResolutionHook']
