"""Backbones, neck and head: sampling and ragged execution in mmaction2."""

from mmaction.registry import MODELS

from mmatfr.sgs import SGS

from . import ragged_forms  # noqa: F401
from .backbones import *  # noqa: F403
from .backbones import __all__ as _backbones
from .fuse import fuse
from .heads import TemporalAttentionHead
from .necks import SGSNeck

MODELS.register_module(module=SGS)

__all__ = ['SGS', 'SGSNeck', 'TemporalAttentionHead', 'fuse', *_backbones]
