"""The engines that run a deployed file: ONNX Runtime and OpenVINO."""

import os
import threading
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type

import numpy as np

from .info import KEY, ModelInfo

__all__ = ['ENGINES', 'Engine', 'available_engines', 'make_engine']


class Engine:
    """Runs a deployed file; safe to call from several threads.

    Args:
        path (str): The file.
        num_threads (int, optional): Number of threads per call. Defaults to
            None, the default of the engine: all cores.
        precision (str, optional): Arithmetic precision. Defaults to None,
            'f32'.
        fixed_size (bool): Whether all frames have the crop size of the test
            pipeline, which makes OpenVINO faster. Defaults to True.
        options (Mapping[str, Any], optional): Settings of the engine.

    Attributes:
        metadata (dict[str, str]): The metadata of the file.
        size (tuple[int], optional): Required height and width of the frames;
            None for any.
    """

    name: str
    package: str
    extra: str
    precisions: Tuple[str, ...] = ('f32',)
    metadata: Dict[str, str]
    size: Optional[Tuple[int, int]] = None

    def __init__(
        self,
        path: str,
        num_threads: Optional[int] = None,
        precision: Optional[str] = None,
        fixed_size: bool = True,
        options: Optional[Mapping[str, Any]] = None,
    ) -> None:
        raise NotImplementedError

    @classmethod
    def is_available(cls) -> bool:
        """Returns whether the package of the engine is installed."""
        import importlib.util

        return importlib.util.find_spec(cls.package) is not None

    def run(
        self, outputs: List[str], inputs: Mapping[str, np.ndarray]
    ) -> List[np.ndarray]:
        """Runs the network once.

        Args:
            outputs (list[str]): Names of the outputs to return.
            inputs (Mapping[str, ndarray]): The inputs by name.

        Returns:
            list[ndarray]: The outputs.
        """
        raise NotImplementedError


class OnnxRuntime(Engine):
    """ONNX Runtime; ``options`` are ``providers`` and ``provider_options``."""

    name = 'onnxruntime'
    package = 'onnxruntime'
    extra = 'onnx'

    def __init__(
        self,
        path: str,
        num_threads: Optional[int] = None,
        precision: Optional[str] = None,
        fixed_size: bool = True,
        options: Optional[Mapping[str, Any]] = None,
    ) -> None:
        import onnxruntime

        options = dict(options or {})
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        if num_threads:
            settings.intra_op_num_threads = num_threads
        options.setdefault('providers', ['CPUExecutionProvider'])
        self.session = onnxruntime.InferenceSession(path, settings, **options)
        self.metadata = dict(self.session.get_modelmeta().custom_metadata_map)
        size = self.session.get_inputs()[0].shape[1:3]
        if all(isinstance(value, int) for value in size):
            self.size = tuple(size)

    def run(
        self, outputs: List[str], inputs: Mapping[str, np.ndarray]
    ) -> List[np.ndarray]:
        return self.session.run(outputs, dict(inputs))


_OPENVINO_NAMES = dict(f32='FP32', bf16='BF16', f16='FP16')


class OpenVINO(Engine):
    """OpenVINO; ``options`` are its properties, and ``device``.

    ``precision='bf16'`` needs a processor that supports it. Groups are then
    computed in this precision too, so frames near the edge of a bin may change
    their group.
    """

    name = 'openvino'
    package = 'openvino'
    extra = 'openvino'
    precisions = tuple(_OPENVINO_NAMES)

    def __init__(
        self,
        path: str,
        num_threads: Optional[int] = None,
        precision: Optional[str] = None,
        fixed_size: bool = True,
        options: Optional[Mapping[str, Any]] = None,
    ) -> None:
        import openvino

        core = openvino.Core()
        options = dict(options or {})
        device = options.pop('device', 'CPU')
        precision = precision or 'f32'
        able = core.get_property(device, 'OPTIMIZATION_CAPABILITIES')
        supported = [
            name for name, long in _OPENVINO_NAMES.items() if long in able
        ]
        if precision not in supported:
            raise ValueError(
                f'precision={precision!r} is not supported by this {device}; '
                f'choose one of {supported}'
            )
        settings = {
            'INFERENCE_PRECISION_HINT': precision,
            'PERFORMANCE_HINT': 'LATENCY',
            **({'INFERENCE_NUM_THREADS': num_threads} if num_threads else {}),
            **options,
        }
        model = core.read_model(path)
        self.metadata = {}
        if model.has_rt_info(['framework', KEY]):
            text = model.get_rt_info(['framework', KEY]).astype(str)
            self.metadata[KEY] = text
        if fixed_size:
            info = ModelInfo.loads(self.metadata, path)
            model.reshape({'frames': [info.num_frames, *info.crop, 3]})
        shape = model.input('frames').get_partial_shape()
        if shape.is_static:
            self.size = tuple(shape.to_shape())[1:3]
        self.model = core.compile_model(model, device, settings)
        self._requests = threading.local()  # one per thread

    def run(
        self, outputs: List[str], inputs: Mapping[str, np.ndarray]
    ) -> List[np.ndarray]:
        request = getattr(self._requests, 'own', None)
        if request is None:
            request = self._requests.own = self.model.create_infer_request()
        request.infer(dict(inputs), share_inputs=True)
        return [request.get_tensor(name).data.copy() for name in outputs]


ENGINES: Dict[str, Type[Engine]] = {
    engine.name: engine for engine in (OnnxRuntime, OpenVINO)
}


def available_engines() -> List[str]:
    """Returns the names of the installed engines."""
    return [name for name in ENGINES if ENGINES[name].is_available()]


def make_engine(
    name: str, path: str, precision: Optional[str] = None, **kwargs
) -> Engine:
    """Loads a file into an engine.

    Args:
        name (str): 'onnxruntime' or 'openvino'.
        path (str): The file.
        precision (str, optional): Arithmetic precision. Defaults to None,
            'f32'.
        **kwargs: As for :class:`Engine`.

    Returns:
        Engine: The engine, with the file in it.

    Raises:
        ValueError: If the engine or the precision is unknown, or the file
            cannot be loaded.
        ImportError: If the engine is not installed.
        FileNotFoundError: If the file does not exist.
    """
    if name not in ENGINES:
        raise ValueError(
            f'engine={name!r} is unknown; choose one of {list(ENGINES)}'
        )
    engine = ENGINES[name]
    if precision is not None and precision not in engine.precisions:
        raise ValueError(
            f'precision={precision!r} is unknown to {name}; choose one of '
            f'{list(engine.precisions)}'
        )
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'the model {path!r} does not exist; export one with '
            'tools/deployment/export_model.py'
        )
    if not engine.is_available():
        raise ImportError(
            f'engine={name!r} needs the package {engine.package}, which is '
            f"not installed; pip install 'mmatfr[{engine.extra}]'"
        )
    try:
        return engine(path, precision=precision, **kwargs)
    except (ValueError, TypeError):
        raise
    except Exception as error:  # each engine raises different errors
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(
            f'{name} cannot load {path!r}: {reason}; export it again, or use '
            'another file'
        ) from error
