"""Where sampling and ragged execution meet mmaction2."""

from mmaction.registry import MODELS

from mmatfr.sgs import SGS

from . import ragged_forms  # noqa: F401
from .backbones import ATFR, ATFRX3D, ATFRResNet3d, X3DRounded

MODELS.register_module(module=SGS)

__all__ = ['ATFR', 'ATFRResNet3d', 'ATFRX3D', 'SGS', 'X3DRounded']
