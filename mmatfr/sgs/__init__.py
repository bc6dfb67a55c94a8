"""Similarity Guided Sampling: the method, on plain torch."""

from .controls import (
    equal_groups,
    pool_frames,
    random_groups,
    stride_frames,
)
from .grouping import (
    Binning,
    Groups,
    group_frames,
    join_groups,
    pack_labels,
)
from .layer import SGS, refuse_tracing
from .layers import (
    Lengths,
    as_lengths,
    force_lengths,
    get_num_bins,
    set_num_bins,
    sgs_layers,
)
from .learned import LearnedPath
from .merging import merge_frames
from .options import (
    LayerOptions,
    check_choice,
    check_flag,
    check_integer,
    check_names,
)
from .presets import PRESETS
from .results import LastResults
from .similarity import SIMILARITIES

__all__ = [
    'PRESETS',
    'SGS',
    'SIMILARITIES',
    'Binning',
    'Groups',
    'LastResults',
    'LayerOptions',
    'LearnedPath',
    'Lengths',
    'as_lengths',
    'check_choice',
    'check_flag',
    'check_integer',
    'check_names',
    'equal_groups',
    'force_lengths',
    'get_num_bins',
    'group_frames',
    'join_groups',
    'merge_frames',
    'pack_labels',
    'pool_frames',
    'random_groups',
    'refuse_tracing',
    'set_num_bins',
    'sgs_layers',
    'stride_frames',
]
