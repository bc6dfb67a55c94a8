"""Export of adaptive recognizers to files, and engines that run them.

Importing the package needs no engine; each is imported on first use.
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
    # Export needs mmaction2; running a file does not.
    if name == 'export_onnx':
        from .export import export_onnx

        return export_onnx
    if name == 'evaluate':
        from .evaluation import evaluate

        return evaluate
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
