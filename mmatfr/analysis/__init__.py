"""What recognizers cost, and figures of what they do."""

from .cost import CostModel
from .recorder import ClipRecorder, ClipRecords

__all__ = ['ClipRecorder', 'ClipRecords', 'CostModel']
