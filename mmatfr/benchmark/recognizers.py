"""A recognizer that samples against its base, timed in turns."""

import statistics
from functools import partial
from typing import Any, Callable, Dict, List, Tuple

import torch
from rich.progress import Progress

from mmatfr.apis import clip_shape
from mmatfr.cost import ClipRecorder
from mmatfr.sgs import sgs_layers

from .options import BenchmarkOptions
from .timing import peak_memory, time_in_turns, time_within
from .variants import Variant, make_variants
from .work import Work

__all__ = ['Benchmark']


class Benchmark:
    """Times a recognizer, its base, and its padded forms.

    Args:
        options (BenchmarkOptions): Options of the benchmark.

    Raises:
        ValueError: If the config does not sample, or an option does not apply
            to it.
    """

    def __init__(self, options: BenchmarkOptions) -> None:
        self.options = options
        device = torch.device(options.device)
        if device.type == 'cuda':
            # The one that is waited for, and where graphs are captured.
            torch.cuda.set_device(device)
        torch.manual_seed(options.seed)
        if options.threads:
            torch.set_num_threads(options.threads)
        self.variants = make_variants(options)
        # Several sampling recognizers have the same shape.
        self.adaptive = next(
            variant
            for variant in self.variants
            if variant.name.startswith('ATFR')
        )
        shape = None
        if options.resolution:
            shape = clip_shape(self.adaptive.cfg, options.shape)
        self.work = Work(
            options,
            self.variants,
            self.adaptive.cost.num_frames(shape) if shape else (),
        )

    @property
    def is_given(self) -> bool:
        """bool: Whether the lengths are given, not those of the network."""
        return self.work.lengths is not None

    def run(self, work: str, size: int, progress: Progress) -> List[Dict]:
        """Times all variants at one kind of work and one batch size.

        On a CPU, all but padded forms run each batch at once and clip by
        clip, and the faster way counts; on a GPU they run it at once.

        Args:
            work (str): One of ``WORKS``.
            size (int): Number of clips per batch.
            progress (Progress): Progress bars to update.

        Returns:
            list[dict]: A row for each variant, the base first.

        Raises:
            ValueError: If the batch size is not positive.
        """
        if size < 1:
            raise ValueError(f'the batch size {size} must be positive')
        on_gpu = torch.device(self.options.device).type != 'cpu'
        variants = [
            variant
            for variant in self.variants
            if work == 'forward' or not variant.graph
        ]
        sizes = {
            variant.name: [size]
            if work == 'train' or size == 1 or variant.padding or on_gpu
            else [size, 1]
            for variant in variants
        }
        functions = {
            (variant.name, ways): self.work.prepare(work, variant, ways)
            for variant in variants
            for ways in sizes[variant.name]
        }
        task = progress.add_task(
            f'{work}, batch of {size}',
            total=len(functions) * (self.options.rounds + 1),
        )
        seconds = time_in_turns(
            functions,
            self.options.rounds,
            after_call=lambda: progress.advance(task),
        )
        rows, taken = [], []
        for variant in variants:
            found = {
                ways: seconds[variant.name, ways]
                for ways in sizes[variant.name]
            }
            fastest = min(found, key=lambda n: statistics.median(found[n]))
            row: Dict[str, Any] = dict(
                work=work, batch_size=size, variant=variant.name
            )
            row.update(
                self._measure(
                    variant,
                    work,
                    fastest,
                    functions[variant.name, fastest],
                    found[fastest],
                )
            )
            row['seconds'] = {f'{n} at once': s for n, s in found.items()}
            rows.append(row)
            taken.append(found[fastest])
        for row, own in zip(rows, taken, strict=True):
            _compare(row, own, rows[0], taken[0])
        return rows

    def _measure(
        self,
        variant: Variant,
        work: str,
        size: int,
        run: Callable,
        taken: List[float],
    ) -> Dict[str, Any]:
        """Returns the figures of one variant."""
        gflops, lengths = self._cost_of(work, variant, size)
        number = len(gflops)
        if variant.graph:
            # Its memory was allocated when it was captured.
            run = self.work.prepare(work, variant, size, eager=True)
        found: Dict[str, Any] = dict(
            clips_at_once=size,
            seconds_per_clip=statistics.median(taken) / number,
            seconds_per_clip_min=min(taken) / number,
            seconds_per_clip_max=max(taken) / number,
            clips_per_second=number / statistics.median(taken),
            gflops_per_clip=statistics.mean(gflops),
            lengths=lengths,
            sgs_seconds_per_clip=self._sgs_seconds(variant, run) / number,
            memory=peak_memory(partial(run, 1), self.options.device),
        )
        if work == 'pipeline':
            parts = [
                child
                for name, child in variant.model.named_children()
                if name != 'data_preprocessor'
            ]
            seconds = time_within(parts, run) / number
            found['network_share'] = seconds / found['seconds_per_clip']
        return found

    def _sgs_seconds(self, variant: Variant, run: Callable[[], None]) -> float:
        """Times the sampling layers alone, in as many rounds."""
        layers = sgs_layers(variant.model).values()
        if not layers:
            return 0.0
        return statistics.median(
            time_within(layers, run) for _ in range(self.options.rounds)
        )

    def _cost_of(
        self, work: str, variant: Variant, size: int
    ) -> Tuple[List[float], List]:
        """Runs a variant once; returns GFLOPs and lengths of its clips."""
        if variant.padding != 'padded':
            with ClipRecorder(variant.model, variant.cost) as recorder:
                self.work.prepare(work, variant, size, eager=True)()
                records = recorder.pop_records()
            return records.gflops.tolist(), records.lengths.tolist()
        # Same lengths as the recognizer, in batches.
        _, lengths = self._cost_of(work, self.adaptive, size)
        views = len(lengths) // self.options.clips if work == 'pipeline' else 1
        if variant.clips is not None:
            shape = variant.shape
        else:
            shape = clip_shape(variant.cfg, self.options.shape)
        gflops: List[float] = []
        for start in range(0, len(lengths), size * views):
            batch = lengths[start : start + size * views]
            gflops += [variant.cost.gflops(shape, max(batch))] * len(batch)
        return gflops, lengths


def _compare(
    row: Dict[str, Any],
    taken: List[float],
    base: Dict[str, Any],
    base_taken: List[float],
) -> None:
    """Adds the ratios to the base to a row."""
    # Ratios within a round, because disturbances affect both.
    ratios = [a / b for a, b in zip(taken, base_taken, strict=True)]
    row.update(
        time_ratio=statistics.median(ratios),
        time_ratio_low=min(ratios),
        time_ratio_high=max(ratios),
        gflops_ratio=row['gflops_per_clip'] / base['gflops_per_clip'],
        sgs_over_base=row['sgs_seconds_per_clip'] / base['seconds_per_clip'],
    )
    row['time_over_gflops'] = row['time_ratio'] / row['gflops_ratio']
