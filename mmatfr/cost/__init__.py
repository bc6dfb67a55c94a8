"""Cost of clips, and its statistics."""

from .model import CostModel, Operation, lengths_at, merge_stages
from .recorder import ClipRecorder, ClipRecords
from .statistics import (
    PERCENTILES,
    accuracy_by_resolution,
    all_clips,
    describe,
    headline,
    rank_classes,
    resolution,
    summarize,
)

__all__ = [
    'PERCENTILES',
    'ClipRecorder',
    'ClipRecords',
    'CostModel',
    'Operation',
    'accuracy_by_resolution',
    'all_clips',
    'describe',
    'headline',
    'lengths_at',
    'merge_stages',
    'rank_classes',
    'resolution',
    'summarize',
]
