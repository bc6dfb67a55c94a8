"""Times a recognizer and its base in PyTorch and in other engines."""

import hashlib
import statistics
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config

import mmatfr.deploy
from mmatfr.apis import clip_shape, test_pipeline, without_sampling
from mmatfr.cost import CostModel
from mmatfr.deploy import ENGINES, export_onnx
from mmatfr.deploy.network import ClipNetwork
from mmatfr.deploy.verification import make_clips
from mmatfr.sgs import sgs_layers

from .contenders import ENGINE_CHOICES, Case, Contender, Task, list_contenders
from .turns import TimedProcess, Timing, median_ratio, time_processes

__all__ = ['EngineBenchmark', 'choose_cases']

# Margins for magnitudes, relative to the largest, within which the groups do
# not change. The first that some clip satisfies is used.
_ROUNDINGS = (1e-2, 1e-3, 1e-5)
_NUM_SEEDS = 4


class EngineBenchmark:
    """A recognizer and its base, in several engines.

    Args:
        task (Task): The recognizer.
        engines (Sequence[str]): Engines out of ``ENGINE_CHOICES``.
        kept (Sequence[float]): B'/T of the clips.
        folder (str): Folder of the exported files, written once for each
            config and weights.
        on_step (Callable): Called with the name of a step, the number of
            finished parts, and the total.

    Raises:
        ValueError: If the config does not sample, an engine is not installed,
            or no clip with this B' is found.
    """

    def __init__(
        self,
        task: Task,
        engines: Sequence[str] = ENGINE_CHOICES,
        kept: Sequence[float] = (0.5,),
        folder: str = 'work_dirs/engines',
        on_step: Callable[[str, int, int], None] = lambda *args: None,
    ) -> None:
        for name in engines:
            if name in ENGINES and not ENGINES[name].is_available():
                raise ValueError(
                    f'the engine {name!r} is not installed; pip install '
                    f"'mmatfr[{ENGINES[name].extra}]', or do not select it"
                )
        self.task = task
        self.folder = Path(folder)
        self.on_step = on_step
        self.contenders = list_contenders(list(engines))
        cfg = task.load_config()
        adaptive = task.build(cfg)
        if not sgs_layers(adaptive):
            raise ValueError(
                f'{task.config!r} has no layer that samples; use a config '
                'with `sgs`'
            )
        self.shape = clip_shape(cfg)
        self.cost = CostModel(adaptive)
        base = task.build(cfg, adaptive=False)
        self.base_gflops = CostModel(base).gflops(self.shape)
        num_frames = self.cost.num_frames(self.shape)
        network = ClipNetwork(adaptive, cfg.model, self.shape[1]).eval()
        self.cases = choose_cases(
            network,
            self.shape[2:],
            {
                share: tuple(max(1, round(n * share)) for n in num_frames)
                for share in kept
            },
        )
        files = [c.adaptive for c in self.contenders if c.exported]
        self._files = {
            sampling: self._export(cfg, sampling) for sampling in set(files)
        }

    def run(self, threads: int, rounds: int) -> List[Dict[str, Any]]:
        """Times all contenders in turns, each in a separate process.

        Args:
            threads (int): Number of threads of each contender.
            rounds (int): Number of times that each is timed.

        Returns:
            list[dict]: A row for each contender and B'.

        Raises:
            ValueError: If a contender in single precision gives another B'
                than that of the clip.
        """
        with ExitStack() as stack:
            processes = []
            for place, contender in enumerate(self.contenders):
                # One at a time, because all need memory and the processor.
                self.on_step('preparing', place, len(self.contenders))
                process = TimedProcess(
                    contender.name,
                    partial(
                        contender.make,
                        self.task,
                        self._files.get(contender.adaptive),
                        threads,
                        self._cases_of(contender),
                    ),
                )
                stack.callback(process.close)
                processes.append(process.wait())
            count = rounds * sum(len(p.results) for p in processes)
            done = iter(range(1, count + 1))
            step = f'{threads} threads' if threads > 1 else '1 thread'
            timings = time_processes(
                processes,
                rounds,
                lambda: self.on_step(step, next(done), count),
            )
            return self._rows(threads, processes, timings)

    def _cases_of(self, contender: Contender) -> List[Case]:
        if contender.adaptive:
            return self.cases
        return [Case(1.0, self.cases[0].frames, (), ())]

    def _rows(
        self,
        threads: int,
        processes: Sequence[TimedProcess],
        timings: Dict[Tuple[str, int], List[Timing]],
    ) -> List[Dict[str, Any]]:
        rows = []
        for contender, process in zip(self.contenders, processes, strict=True):
            if process.refusal is not None:
                rows.append(
                    dict(
                        threads=threads,
                        contender=contender.name,
                        refusal=process.refusal,
                    )
                )
                continue
            for place, case in enumerate(self._cases_of(contender)):
                lengths = process.results[place]
                if lengths != case.lengths and 'bf16' not in contender.name:
                    raise ValueError(
                        f"{contender.name!r} gives B'={lengths} for a clip "
                        f"with B'={case.lengths}; export the file again, with "
                        'another --work-dir'
                    )
                taken = timings[contender.name, place]
                gflops = (
                    self.cost.gflops(self.shape, lengths)
                    if contender.adaptive
                    else self.base_gflops
                )
                seconds = [timing.seconds for timing in taken]
                row: Dict[str, Any] = dict(
                    threads=threads,
                    contender=contender.name,
                    kept=case.kept if contender.adaptive else None,
                    lengths=list(lengths),
                    seconds=seconds,
                    seconds_per_clip=statistics.median(seconds),
                    seconds_per_clip_min=min(seconds),
                    seconds_per_clip_max=max(seconds),
                    cpu_seconds_per_clip=statistics.median(
                        timing.cpu_seconds for timing in taken
                    ),
                    idle_cpu_seconds=statistics.median(
                        timing.idle_cpu_seconds for timing in taken
                    ),
                    gflops=gflops,
                    gflops_ratio=gflops / self.base_gflops,
                    time_ratio=median_ratio(taken, timings['base', 0]),
                    bases={},
                )
                for base in contender.bases:
                    ratio = median_ratio(taken, timings[base, 0])
                    row['bases'][base] = dict(
                        time_ratio=ratio,
                        time_over_gflops=ratio['median'] / row['gflops_ratio'],
                    )
                rows.append(row)
        return rows

    def _export(self, cfg: Config, sampling: bool) -> str:
        """Exports the recognizer or its base, unless the file exists."""
        model = cfg.model if sampling else without_sampling(cfg.model)
        key = hashlib.sha256(
            repr(
                (
                    model,
                    test_pipeline(cfg),
                    self.task.checkpoint,
                    self.task.seed,
                    torch.__version__,
                )
            ).encode()
        )
        # The file depends on the source of the exporter.
        for source in sorted(Path(mmatfr.deploy.__file__).parent.glob('*.py')):
            key.update(source.read_bytes())
        stem = Path(self.task.config).stem
        kind = 'atfr' if sampling else 'base'
        path = self.folder / f'{stem}-{kind}-{key.hexdigest()[:12]}.onnx'
        if not path.is_file():
            cfg = cfg.copy()
            cfg.model = model
            export_onnx(
                self.task.build(cfg, sampling),
                cfg,
                str(path),
                self.task.checkpoint,
                on_step=lambda step, done, total: self.on_step(
                    f'export {kind}: {step}', done, total
                ),
            )
        return str(path)


def choose_cases(
    network: ClipNetwork,
    size: Sequence[int],
    lengths: Dict[float, Tuple[int, ...]],
) -> List[Case]:
    """Finds clips and numbers of bins with given B'.

    Args:
        network (ClipNetwork): The network.
        size (Sequence[int]): Height and width of the frames.
        lengths (dict[float, tuple[int]]): B' of each sampling layer, by
            requested B'/T.

    Returns:
        list[Case]: One case for each B'/T, in the same order, with groups as
        robust to rounding as possible.

    Raises:
        ValueError: If no candidate has this B'.
    """
    few = 2 * network.num_frames
    numbers = sorted(
        {*range(1, few), *np.geomspace(few, 2**14, 40).astype(int).tolist()}
    )
    clips = [
        clip
        for seed in range(_NUM_SEEDS)
        for clip in make_clips(network.num_frames, size, seed)
    ]
    cases: Dict[float, Case] = {}
    for rounding in _ROUNDINGS:
        for clip in clips:
            missing = [share for share in lengths if share not in cases]
            if not missing:
                break
            found = network.stable_lengths(clip, numbers, rounding)
            for share in missing:
                wanted = lengths[share]
                if all(n in own for n, own in zip(wanted, found, strict=True)):
                    bins = (
                        own[n] for n, own in zip(wanted, found, strict=True)
                    )
                    cases[share] = Case(
                        share, clip.numpy(), tuple(bins), wanted
                    )
    for share, wanted in lengths.items():
        if share not in cases:
            raise ValueError(
                f"--kept {share:g}: no clip with B'={list(wanted)} was found; "
                'choose another value'
            )
    return [cases[share] for share in lengths]
