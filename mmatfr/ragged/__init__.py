"""Clips of unequal length: their layout and the modules that run on them."""

from .convert import (
    convert_ragged,
    convert_stage,
    find_refusals,
    register_per_frame,
)
from .layout import Layout, Layouts, Window, frame_axis, pack
from .modules import Ragged, RaggedSqueezeExcitation, register_ragged_form

__all__ = [
    'Layout',
    'Layouts',
    'Ragged',
    'RaggedSqueezeExcitation',
    'Window',
    'convert_ragged',
    'convert_stage',
    'find_refusals',
    'frame_axis',
    'pack',
    'register_per_frame',
    'register_ragged_form',
]
