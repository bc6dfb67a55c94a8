"""What recognizers cost, and figures of what they do."""

from .cost import CostModel, lengths_at
from .layers import force_lengths, sgs_layers
from .recorder import ClipRecorder, ClipRecords
from .sensitivity import find_sensitivities, fit_similarity

__all__ = [
    'ClipRecorder',
    'ClipRecords',
    'CostModel',
    'find_sensitivities',
    'fit_similarity',
    'force_lengths',
    'lengths_at',
    'sgs_layers',
]
