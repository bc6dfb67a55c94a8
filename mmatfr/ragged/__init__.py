"""Clips of unequal length: their layout and the modules that run on them."""

from .conv import FlatConv3d, conv3d
from .convert import (
    convert_ragged,
    describe_refusals,
    find_refusals,
    register_per_frame,
)
from .frames import frame_axis, take_frames
from .layout import Layout, Layouts, Window, pack
from .modules import Ragged, RaggedSqueezeExcitation, register_ragged_form
from .swap import is_swapped, swap_class

__all__ = [
    'FlatConv3d',
    'Layout',
    'Layouts',
    'Ragged',
    'RaggedSqueezeExcitation',
    'Window',
    'conv3d',
    'convert_ragged',
    'describe_refusals',
    'find_refusals',
    'frame_axis',
    'is_swapped',
    'pack',
    'register_per_frame',
    'register_ragged_form',
    'swap_class',
    'take_frames',
]
