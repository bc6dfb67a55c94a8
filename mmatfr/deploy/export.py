"""Exports a recognizer as one ONNX file that computes B' itself."""

import logging
import os
import warnings
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, Sequence, Tuple

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmengine.config import Config, ConfigDict

from mmatfr.apis import clip_shape, test_pipeline
from mmatfr.atomic_write import atomic_path
from mmatfr.models.networks import evaluating
from mmatfr.version import __version__

from .engines import available_engines, make_engine
from .info import KEY, ModelInfo
from .network import ClipNetwork
from .verification import choose_clips, compare, run_reference

__all__ = ['export_onnx']

OnStep = Callable[[str, int, int], None]
# Height and width of the example. They differ and no map shrinks to one pixel,
# because the exporter would treat equal sizes and 1 as constants.
_SIZE = (128, 160)


def export_onnx(
    recognizer: BaseRecognizer,
    cfg: Config,
    out: str,
    checkpoint: Optional[str] = None,
    engines: Optional[Sequence[str]] = None,
    rtol: float = 1e-4,
    on_step: OnStep = lambda step, done, total: None,
) -> ModelInfo:
    """Exports a recognizer and verifies the file against PyTorch.

    The file takes a decoded clip, uint8, and the number of bins; it returns
    scores, B' and the group of each frame. It is saved only if all engines
    give the same scores and B' as PyTorch on clips with B' from 1 to T.

    Args:
        recognizer (BaseRecognizer): The recognizer, on the CPU.
        cfg (Config): Its config.
        out (str): The file, ``*.onnx``.
        checkpoint (str, optional): Origin of the weights, for the metadata.
        engines (Sequence[str], optional): Engines to compare with PyTorch.
            Defaults to None, all installed ones.
        rtol (float): Largest difference of the scores, relative to the
            largest. Defaults to 1e-4.
        on_step (Callable): Called with the name of a step, the number of
            finished parts, and the total.

    Returns:
        ModelInfo: Metadata of the file.

    Raises:
        ValueError: If the recognizer is not on the CPU, a part cannot be
            exported, no engine is installed, or the results of an engine
            differ.
    """
    device = next(recognizer.parameters()).device
    if device.type != 'cpu':
        raise ValueError(
            f'the recognizer is on {str(device)!r}; export it from the CPU, '
            'recognizer.cpu()'
        )
    engines = available_engines() if engines is None else list(engines)
    if not engines:
        raise ValueError(
            'no engine is installed to compare the file with PyTorch; '
            "pip install 'mmatfr[onnx]' or 'mmatfr[openvino]'"
        )
    path = Path(out)
    if path.suffix != '.onnx':
        raise ValueError(f'{out!r} must end in .onnx')
    _, num_frames, *size = clip_shape(cfg)
    with evaluating(recognizer):
        network = ClipNetwork(recognizer, cfg.model, num_frames).eval()
        info = _describe(recognizer, cfg, checkpoint, network, size)
        on_step('exporting', 0, 1)
        program = _export(network, info)
        on_step('exporting', 1, 1)

        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as draft:
            _save(program, info, draft)
            verified = _verify(
                draft, info, recognizer, network, engines, rtol, on_step
            )
            info = replace(info, verified=verified)
            _save(program, info, draft)
    return info


def _verify(
    path: Path,
    info: ModelInfo,
    recognizer: BaseRecognizer,
    network: ClipNetwork,
    engines: Sequence[str],
    rtol: float,
    on_step: OnStep,
) -> Dict[str, dict]:
    """Compares the engines with PyTorch and returns a report by engine."""
    clips = choose_clips(network, info.crop)
    references = []
    for clip in clips:
        references.append(run_reference(recognizer, clip))
        on_step('PyTorch', len(references), len(clips))
    # B' of the clips, for each pathway.
    columns = zip(
        *(reference.lengths for reference in references), strict=True
    )
    lengths = [sorted(set(column)) for column in columns]
    verified = {}
    for name in engines:
        engine = make_engine(name, str(path), fixed_size=False)
        done = count(1)
        difference = compare(
            engine,
            info,
            clips,
            references,
            rtol,
            lambda: on_step(name, next(done), len(clips)),  # noqa: B023
        )
        verified[name] = dict(
            clips=len(clips), lengths=lengths, largest_difference=difference
        )
    return verified


def _export(network: ClipNetwork, info: ModelInfo) -> 'torch.onnx.ONNXProgram':
    frames = torch.zeros(network.num_frames, *_SIZE, 3, dtype=torch.uint8)
    free = torch.export.Dim.AUTO
    args: Tuple[torch.Tensor, ...] = (frames,)
    shapes: Dict[str, dict] = dict(frames={1: free, 2: free})
    names: Dict[str, dict] = dict(frames={1: 'height', 2: 'width'})
    if network.pathways:
        args = (frames, torch.tensor(network.num_bins))
        shapes['num_bins'] = names['num_bins'] = {}
    with torch.no_grad(), _quiet():
        program = torch.export.export(
            network, args, dynamic_shapes=shapes, strict=False
        )
        exported = torch.onnx.export(
            program,
            (),
            dynamo=True,
            input_names=list(info.inputs),
            output_names=list(info.outputs),
            dynamic_shapes=names,
            verbose=False,
        )
        assert exported is not None  # as it is without a file
        return exported


def _save(
    program: 'torch.onnx.ONNXProgram', info: ModelInfo, path: Path
) -> None:
    program.model.metadata_props[KEY] = info.dumps()
    program.save(path, external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses warnings of the exporter about packages it does not need."""
    logger = logging.getLogger('torch.onnx._internal.exporter._registration')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)


def _describe(
    recognizer: BaseRecognizer,
    cfg: Config,
    checkpoint: Optional[str],
    network: ClipNetwork,
    size: Sequence[int],
) -> ModelInfo:
    pipeline = [_as_literal(step) for step in test_pipeline(cfg)]
    interval = None
    for step in pipeline:
        if step.get('clip_len', 1) > 1:
            interval = step.get('frame_interval', 1)
    return ModelInfo(
        version=__version__,
        config=Path(cfg.filename or 'config').stem,
        checkpoint=os.path.basename(checkpoint) if checkpoint else None,
        num_classes=recognizer.cls_head.num_classes,
        classes=getattr(recognizer, 'classes', None),
        num_frames=network.num_frames,
        frame_interval=interval,
        crop=list(size),
        pathways=network.pathways,
        num_bins=network.num_bins,
        average_clips=recognizer.cls_head.average_clips,
        pipeline=repr(pipeline),
        verified={},
    )


def _as_literal(step: dict) -> dict:
    """Returns a step of a pipeline with the name of its class as type."""
    step = ConfigDict(step).to_dict()
    kind = step['type']
    if not isinstance(kind, str):
        step['type'] = f'{kind.__module__}.{kind.__qualname__}'
    return step
