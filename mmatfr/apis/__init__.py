"""Recognizers: reads configs, builds and loads models, reads clips."""

from .clips import (
    first_view,
    frame_times,
    frames_of,
    iter_clips,
    read_batch,
    read_clips,
    run_pipeline,
)
from .config import (
    clip_shape,
    load_config,
    merge_options,
    num_views,
    test_pipeline,
    with_crop,
    without_sampling,
)
from .insertion import insert, remove
from .num_bins import set_num_bins
from .preparation import calibrate_bin_range, write_inserted
from .recognizers import (
    average_views,
    build_recognizer,
    check_weights,
    load_recognizer,
    load_weights,
    unwrap,
)

__all__ = [
    'average_views',
    'build_recognizer',
    'calibrate_bin_range',
    'check_weights',
    'clip_shape',
    'first_view',
    'frame_times',
    'frames_of',
    'insert',
    'iter_clips',
    'load_config',
    'load_recognizer',
    'merge_options',
    'load_weights',
    'num_views',
    'read_batch',
    'read_clips',
    'remove',
    'run_pipeline',
    'set_num_bins',
    'test_pipeline',
    'unwrap',
    'with_crop',
    'without_sampling',
    'write_inserted',
]
