from .atfr import ATFR
from .resnet3d import (
    ATFRResNet2Plus1d,
    ATFRResNet3d,
    ATFRResNet3dCSN,
    ATFRResNet3dSlowOnly,
)
from .slowfast import ATFRResNet3dSlowFast
from .tsm import ATFRMobileNetV2TSM, ATFRResNetTSM
from .variants import atfr
from .x3d import ATFRX3D, X3DRounded

__all__ = [
    'ATFR',
    'ATFRMobileNetV2TSM',
    'ATFRResNet2Plus1d',
    'ATFRResNet3d',
    'ATFRResNet3dCSN',
    'ATFRResNet3dSlowFast',
    'ATFRResNet3dSlowOnly',
    'ATFRResNetTSM',
    'ATFRX3D',
    'X3DRounded',
    'atfr',
]
