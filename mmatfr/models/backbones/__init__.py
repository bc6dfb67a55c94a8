from .atfr import ATFR
from .resnet3d import ATFRResNet3d
from .x3d import ATFRX3D, X3DRounded

__all__ = ['ATFR', 'ATFRResNet3d', 'ATFRX3D', 'X3DRounded']
