"""The contenders of a benchmark: ways to run a recognizer.

Each runs in a separate process. All take the decoded frames of a clip, uint8,
and normalize them.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np
import torch
from mmaction.models.recognizers import BaseRecognizer, Recognizer2D
from mmengine.config import Config

from mmatfr.apis import (
    build_recognizer,
    clip_shape,
    load_config,
    load_recognizer,
    with_crop,
    without_sampling,
)
from mmatfr.deploy import ENGINES, make_engine
from mmatfr.deploy.network import ClipNetwork
from mmatfr.models import fuse
from mmatfr.sgs import set_num_bins, sgs_layers
from mmatfr.zoo.models import config_path

__all__ = ['ENGINE_CHOICES', 'Case', 'Contender', 'Task', 'list_contenders']

ENGINE_CHOICES = ('eager', 'inductor', *ENGINES)


@dataclass(frozen=True)
class Case:
    """A clip with known B'.

    Attributes:
        kept (float): Requested B'/T.
        frames (ndarray): (T, H, W, 3), uint8.
        num_bins (tuple[int]): Number of bins of each sampling layer.
        lengths (tuple[int]): Resulting B' of each layer.
    """

    kept: float
    frames: np.ndarray
    num_bins: Tuple[int, ...]
    lengths: Tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """The recognizer and clips of all contenders.

    Attributes:
        config (str): Path of a config that samples.
        cfg_options (dict): Settings that override the config.
        checkpoint (str, optional): Its checkpoint. Defaults to None, initial
            weights.
        seed (int): Seed of the initial weights. Defaults to 0.
        shape (tuple[int], optional): (T, H, W) of the clips. Defaults to None,
            the shape of the test pipeline.
    """

    config: str
    cfg_options: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Optional[str] = None
    seed: int = 0
    shape: Optional[Tuple[int, int, int]] = None

    def load_config(self) -> Config:
        """Reads the config.

        Raises:
            ValueError: If its number of frames is not T of the shape.
        """
        cfg = load_config(config_path(self.config), self.cfg_options)
        if self.shape is None:
            return cfg
        num_frames, *size = self.shape
        own = clip_shape(cfg)[1]
        if num_frames != own:
            raise ValueError(
                f'--shape {" ".join(map(str, self.shape))}: '
                f'{self.config!r} takes clips of {own} frames; set T to that'
            )
        return with_crop(cfg, size)

    def build(self, cfg: Config, adaptive: bool = True) -> BaseRecognizer:
        """Builds the recognizer, or the same without sampling.

        Args:
            cfg (Config): Result of :meth:`load_config`.
            adaptive (bool): Whether to keep sampling. Defaults to True.
        """
        torch.manual_seed(self.seed)
        if self.checkpoint:
            recognizer = load_recognizer(cfg, self.checkpoint)
        else:
            recognizer = build_recognizer(cfg.model)
        if adaptive:
            return recognizer
        base = build_recognizer(without_sampling(cfg.model))
        base.load_state_dict(recognizer.state_dict(), strict=False)
        return base


@dataclass(frozen=True)
class Contender:
    """A way to run a recognizer.

    Attributes:
        name (str): Name in the table.
        adaptive (bool): Whether it samples.
        make (Callable): From the task, the path of the exported file, the
            number of threads and the cases, makes a function for each case.
        bases (tuple[str]): Names of the contenders without sampling with which
            it is compared.
        exported (bool): Whether it runs an exported file.
    """

    name: str
    adaptive: bool
    make: Callable[..., List[Callable]]
    bases: Tuple[str, ...] = ()
    exported: bool = False


def list_contenders(engines: List[str]) -> List[Contender]:
    """Lists the contenders for engines; mmaction2's base is always one.

    Args:
        engines (list[str]): Engines out of ``ENGINE_CHOICES``.
    """
    contenders = [Contender('base', False, partial(_eager, adaptive=False))]
    if 'eager' in engines:
        fast = partial(_eager, adaptive=False, channels_last=True)
        contenders += [
            Contender('base, channels last', False, fast),
            Contender('base, fused', False, partial(fast, fused=True)),
            Contender(
                'ATFR',
                True,
                partial(_eager, adaptive=True),
                ('base', 'base, channels last'),
            ),
            Contender(
                'ATFR, fused',
                True,
                partial(_eager, adaptive=True, fused=True),
                ('base', 'base, fused'),
            ),
        ]
    if 'inductor' in engines:
        contenders.append(Contender('base, inductor', False, _inductor))
    for engine in ENGINES:
        if engine not in engines:
            continue
        for precision in _PRECISIONS[engine]:
            name = ' '.join(filter(None, [engine, precision]))
            for adaptive in (False, True):
                contenders.append(
                    Contender(
                        f'{"ATFR" if adaptive else "base"}, {name}',
                        adaptive,
                        partial(_engine, engine=engine, precision=precision),
                        (f'base, {name}',) if adaptive else (),
                        exported=True,
                    )
                )
    return contenders


_PRECISIONS: Dict[str, Tuple[Optional[str], ...]] = dict(
    onnxruntime=(None,), openvino=('f32', 'bf16')
)


def _eager(
    task: Task,
    path: Optional[str],
    threads: int,
    cases: List[Case],
    adaptive: bool,
    channels_last: Optional[bool] = None,
    fused: bool = False,
) -> List[Callable[[], Tuple[int, ...]]]:
    torch.set_num_threads(threads)
    cfg = task.load_config()
    if channels_last is not None:
        cfg.model.backbone.channels_last = channels_last
    recognizer = task.build(cfg, adaptive)
    if fused:
        fuse(recognizer)
    layers = sgs_layers(recognizer)
    axes = (0, 3, 1, 2) if isinstance(recognizer, Recognizer2D) else None

    def run(view: torch.Tensor, num_bins: Tuple[int, ...]) -> Tuple[int, ...]:
        if layers:
            set_num_bins(recognizer, dict(zip(layers, num_bins, strict=True)))
        with torch.no_grad():
            inputs = recognizer.data_preprocessor(
                dict(inputs=[view], data_samples=None)
            )['inputs']
            recognizer(inputs, mode='tensor', stage='head')
        return tuple(int(layer.groups.lengths) for layer in layers.values())

    functions: List[Callable[[], Tuple[int, ...]]] = []
    for case in cases:
        frames = torch.from_numpy(case.frames)
        if axes is None:
            view = frames.permute(3, 0, 1, 2)[None].contiguous()
        else:
            view = frames.permute(axes).contiguous()
        functions.append(partial(run, view, case.num_bins))
    return functions


def _inductor(
    task: Task, path: Optional[str], threads: int, cases: List[Case]
) -> List[Callable[[], Tuple[int, ...]]]:
    from torch._inductor import config

    torch.set_num_threads(threads)
    config.freezing = True  # weights are constants
    config.cpp.threads = threads
    config.compile_threads = 1  # no pool of processes
    config.fx_graph_cache = (
        False  # may hold code for another number of threads
    )
    cfg = task.load_config()
    network = ClipNetwork(
        task.build(cfg, adaptive=False),
        without_sampling(cfg.model),
        clip_shape(cfg)[1],
    ).eval()
    compiled = torch.compile(network, fullgraph=True)

    def run(frames: torch.Tensor) -> Tuple[int, ...]:
        with torch.no_grad():
            compiled(frames)
        return ()

    return [partial(run, torch.from_numpy(case.frames)) for case in cases]


def _engine(
    task: Task,
    path: str,
    threads: int,
    cases: List[Case],
    engine: str,
    precision: Optional[str],
) -> List[Callable[[], Tuple[int, ...]]]:
    runner = make_engine(
        engine, path, precision=precision, num_threads=threads
    )

    def run(inputs: Dict[str, np.ndarray]) -> Tuple[int, ...]:
        adaptive = 'num_bins' in inputs
        outputs = runner.run(['scores', 'lengths'][: 1 + adaptive], inputs)
        return tuple(map(int, outputs[1])) if adaptive else ()

    functions: List[Callable[[], Tuple[int, ...]]] = []
    for case in cases:
        inputs = dict(frames=case.frames)
        if case.num_bins:
            inputs['num_bins'] = np.array(case.num_bins, dtype=np.int64)
        functions.append(partial(run, inputs))
    return functions
