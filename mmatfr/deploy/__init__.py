"""Adaptive recognizers as files, and the engines that run them.

Importing it needs no engine; each is imported when it is asked for.
"""

from .engines import ENGINES, Engine, available_engines, make_engine
from .info import ModelInfo
from .model import DeployedModel, Prediction, load_model

__all__ = [
    'ENGINES',
    'DeployedModel',
    'Engine',
    'ModelInfo',
    'Prediction',
    'available_engines',
    'evaluate',
    'export_onnx',
    'load_model',
    'make_engine',
]


def __getattr__(name: str):
    # These need mmaction2; what runs a file does not.
    if name == 'export_onnx':
        from .export import export_onnx

        return export_onnx
    if name == 'evaluate':
        from .evaluation import evaluate

        return evaluate
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
