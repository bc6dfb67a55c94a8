"""Clips of unequal length: their layout, and modules that process them."""

from .conv import FlatConv3d, OneDNNConv2d, conv3d
from .convert import (
    convert_ragged,
    describe_refusals,
    find_refusals,
    register_per_frame,
)
from .frames import frame_axis, take_clips, take_frames
from .layout import Layout, Window, pack
from .mixins import add_mixin, base_class, has_mixin
from .modules import Ragged, RaggedSqueezeExcitation, register_ragged_form
from .route import (
    PROBE_FRAMES,
    Clips,
    Places,
    Route,
    start_run,
    watch_places,
)

__all__ = [
    'PROBE_FRAMES',
    'Clips',
    'FlatConv3d',
    'Layout',
    'OneDNNConv2d',
    'Places',
    'Ragged',
    'RaggedSqueezeExcitation',
    'Route',
    'Window',
    'add_mixin',
    'base_class',
    'conv3d',
    'convert_ragged',
    'describe_refusals',
    'find_refusals',
    'frame_axis',
    'has_mixin',
    'pack',
    'register_per_frame',
    'register_ragged_form',
    'start_run',
    'take_clips',
    'take_frames',
    'watch_places',
]
