"""Quantization of weights and activations to 8 bits, except for grouping.

A frame changes its group as soon as its magnitude crosses the edge of a bin.
The nodes between the sampled maps and the matrix that groups them therefore
stay in float.
"""

import logging
import tempfile
from ast import literal_eval
from functools import partial
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Set,
)

import numpy as np
import onnx
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS

from mmatfr.atomic_write import write_bytes
from mmatfr.benchmark.timing import time_in_turns
from mmatfr.sgs import check_integer

from .engines import available_engines
from .evaluation import check_config, evaluate, numbers_of
from .info import KEY, ModelInfo
from .model import DeployedModel, load_model

__all__ = ['compare_times', 'float_nodes', 'quantize_onnx', 'read_clips']

# The search for the matrix ends at these nodes, which process maps.
_LAYERS = ('Conv', 'Gemm', 'MatMul')

OnStep = Callable[[str, int, int], None]


def quantize_onnx(
    path: str,
    cfg: Config,
    out: str,
    subset: int = 300,
    tolerance: float = 0.5,
    engines: Optional[Sequence[str]] = None,
    on_step: OnStep = lambda step, done, total: None,
) -> ModelInfo:
    """Quantizes an exported recognizer to 8 bits with NNCF, after training.

    The ranges of activations are calibrated on videos of the validation split,
    evenly spaced in its list, with one view of each. The file is saved only if
    its accuracy on the test split stays within the tolerance in all engines.

    Args:
        path (str): A file written by ``tools/deployment/export_model.py``.
        cfg (Config): The config that it was exported from.
        out (str): The file, ``*.onnx``.
        subset (int): Maximum number of calibration videos. Defaults to 300.
        tolerance (float): Maximum loss of top-1 accuracy, in points. Defaults
            to 0.5.
        engines (Sequence[str], optional): Engines to test. Defaults to None,
            all installed ones.
        on_step (Callable): Called with the name of a step, the number of
            finished parts, and the total.

    Returns:
        ModelInfo: Metadata of the file; ``quantized['accuracy']`` has the
        metrics of both files by engine.

    Raises:
        ImportError: If NNCF is not installed.
        ValueError: If the file was not exported from the config, is already
            quantized, or loses too much accuracy.
    """
    nncf = _import_nncf()
    if Path(out).suffix != '.onnx':
        raise ValueError(f'{out!r} must end in .onnx')
    check_integer('subset', subset)
    engines = available_engines() if engines is None else list(engines)
    runtime = load_model(path, engines[0])
    if runtime.info.quantized:
        raise ValueError(
            f'{path!r} is already quantized; use the original file'
        )
    check_config(runtime.info, path, cfg)
    clips = [
        runtime.as_inputs(clip)
        for clip in read_clips(
            runtime, cfg, subset, partial(on_step, 'calibration')
        )
    ]
    original = onnx.load(path)
    model = nncf.quantize(
        original,
        nncf.Dataset(clips),
        subset_size=len(clips),
        # Swish activations are not symmetric.
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(
            names=float_nodes(original.graph, runtime.info.group_outputs)
        ),
        # Without VNNI, sums of two products of 8 bits overflow.
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.ENABLE
        ),
    )
    how = dict(by=f'nncf {nncf.__version__}', bits=8, videos=len(clips))

    def describe(**found: Any) -> ModelInfo:
        return ModelInfo(
            **{
                **vars(runtime.info),
                'verified': {},
                'quantized': {**how, **found},
            }
        )

    with tempfile.TemporaryDirectory() as folder:
        draft = f'{folder}/{Path(out).name}'
        Path(draft).write_bytes(_dump(model, original, describe()))
        accuracy = {}
        for engine in engines:
            accuracy[engine] = found = {
                name: numbers_of(
                    evaluate(
                        load_model(file, engine),
                        cfg,
                        partial(on_step, f'{engine}, {name}'),
                    )
                )
                for name, file in (('float', path), ('int8', draft))
            }
            before, after = (100 * _top1(found[name], cfg) for name in found)
            if not before - after <= tolerance:  # also if it is NaN
                raise ValueError(
                    f'quantization lowers the top-1 accuracy of {path!r} in '
                    f'{engine} from {before:.2f} to {after:.2f} %, by more '
                    f'than {tolerance} points; the file is not saved: '
                    'calibrate on more videos or raise the tolerance'
                )
    info = describe(accuracy=accuracy)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, _dump(model, original, info))
    return info


def read_clips(
    model: DeployedModel,
    cfg: Config,
    number: int,
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[np.ndarray]:
    """Reads clips of the validation split in the form of the network.

    Args:
        model (DeployedModel): The recognizer.
        cfg (Config): The config that it was exported from.
        number (int): Maximum number of clips, each from a different video,
            evenly spaced in the list.
        on_clip (Callable): Called after each clip with the number of finished
            clips and the total.

    Yields:
        ndarray: The clip, (T, H, W, 3), uint8.

    Raises:
        ValueError: If the config has no validation split.
    """
    if cfg.get('val_dataloader') is None:
        raise ValueError(
            f'{cfg.filename!r} has no val_dataloader, which calibration '
            'needs; add one'
        )
    settings = dict(cfg.val_dataloader.dataset)
    # The test pipeline of the network; that of the validation may differ.
    settings.update(pipeline=literal_eval(model.info.pipeline), test_mode=True)
    dataset = DATASETS.build(settings)
    number = min(number, len(dataset))
    places = np.linspace(0, len(dataset) - 1, number).round().astype(int)
    for done, place in enumerate(places.tolist(), start=1):
        inputs = pseudo_collate([dataset[place]])['inputs'][0]
        views = model.split_views(inputs.numpy())
        yield views[done % len(views)]
        on_clip(done, number)


def compare_times(
    models: Dict[str, DeployedModel],
    clips: Sequence[np.ndarray],
    rounds: int = 10,
) -> Dict[str, List[float]]:
    """Times models on the same clips, in turns.

    Args:
        models (dict[str, DeployedModel]): The models, by name.
        clips (Sequence[ndarray]): The clips, (T, H, W, 3) each.
        rounds (int): Number of rounds. Defaults to 10.

    Returns:
        dict[str, list[float]]: Seconds per clip in each round.
    """

    def run(model: DeployedModel) -> None:
        for clip in clips:
            model.run_view(clip)

    seconds = time_in_turns(
        {name: partial(run, model) for name, model in models.items()}, rounds
    )
    return {
        name: [value / len(clips) for value in values]
        for name, values in seconds.items()
    }


def float_nodes(
    graph: onnx.GraphProto, group_outputs: Iterable[str]
) -> List[str]:
    """Finds the nodes that determine the groups.

    Args:
        graph (GraphProto): Graph of an exported recognizer.
        group_outputs (Iterable[str]): Names of the outputs with the groups.

    Returns:
        list[str]: Names of the nodes between the sampled maps and the matrix
        that groups them, and of the product of the two.
    """
    producers = {name: node for node in graph.node for name in node.output}
    found: Set[str] = set()
    for output in group_outputs:
        # The matrix depends on the groups and is the first to meet maps.
        made_of_groups = {output}
        decide: Set[str] = set()
        maps: Set[str] = set()
        for node in graph.node:  # in topological order
            own = [name for name in node.input if name in made_of_groups]
            if not own:
                continue
            if node.op_type not in _LAYERS:
                made_of_groups.update(node.output)
                continue
            others = [
                name
                for name in node.input
                if name not in made_of_groups and name in producers
            ]
            if node.op_type == 'MatMul' and others:
                decide |= _ancestors(own, producers) | {node.name}
                maps |= _ancestors(others, producers)
        found |= decide - maps
    return [node.name for node in graph.node if node.name in found]


def _ancestors(
    tensors: Iterable[str], producers: Dict[str, onnx.NodeProto]
) -> Set[str]:
    """Returns the names of the nodes that compute tensors."""
    found: Set[str] = set()
    left = list(tensors)
    while left:
        node = producers.get(left.pop())
        if node is not None and node.name not in found:
            found.add(node.name)
            left += node.input
    return found


def _import_nncf():
    try:
        import nncf
    except ImportError as error:
        raise ImportError(
            'quantization needs the package nncf, which is not installed; pip '
            "install 'mmatfr[int8]'"
        ) from error
    # NNCF logs every node that it skips.
    nncf.set_log_level(logging.WARNING)
    return nncf


def _top1(metrics: Dict[str, float], cfg: Config) -> float:
    if 'acc/top1' not in metrics:
        raise ValueError(
            f'the test evaluator of {cfg.filename!r} does not report '
            'acc/top1, which is needed to compare the files; add AccMetric'
        )
    return metrics['acc/top1']


def _dump(
    model: onnx.ModelProto, original: onnx.ModelProto, info: ModelInfo
) -> bytes:
    """Serializes a quantized network with the metadata of the original."""
    metadata = {entry.key: entry.value for entry in original.metadata_props}
    metadata[KEY] = info.dumps()
    onnx.helper.set_model_props(model, metadata)
    return model.SerializeToString()
