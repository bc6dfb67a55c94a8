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
from .sides import Side, make_sides
from .timing import peak_memory, time_in_turns, time_within
from .work import Work

__all__ = ['Benchmark']


class Benchmark:
    """Times a recognizer, its base, and its peers.

    Args:
        options (BenchmarkOptions): Options of the benchmark.

    Raises:
        ValueError: If the config does not sample, or an option does not apply
            to it.
    """

    def __init__(self, options: BenchmarkOptions) -> None:
        self.options = options
        torch.manual_seed(options.seed)
        if options.threads:
            torch.set_num_threads(options.threads)
        if torch.device(options.device).type == 'cuda':
            torch.backends.cudnn.benchmark = False  # shapes vary
        self.sides = make_sides(options)
        # Several sampling recognizers have the same shape.
        self.adaptive = next(
            side for side in self.sides if side.name.startswith('ATFR')
        )
        shape = None
        if options.resolution:
            shape = clip_shape(self.adaptive.cfg, options.shape)
        self.work = Work(
            options,
            self.sides,
            self.adaptive.cost.num_frames(shape) if shape else (),
        )

    @property
    def is_given(self) -> bool:
        """bool: Whether the lengths are given, not those of the network."""
        return self.work.lengths is not None

    def run(self, work: str, size: int, progress: Progress) -> List[Dict]:
        """Times all contenders at one kind of work and one batch size.

        The base runs each batch at once and clip by clip; the faster way
        counts.

        Args:
            work (str): One of ``WORKS``.
            size (int): Number of clips per batch.
            progress (Progress): Progress bars to update.

        Returns:
            list[dict]: A row for each contender, the base first.

        Raises:
            ValueError: If the batch size is not positive.
        """
        if size < 1:
            raise ValueError(f'the batch size {size} must be positive')
        sizes = {
            side.name: [size]
            if work == 'train' or size == 1 or side.peer
            else [size, 1]
            for side in self.sides
        }
        functions = {
            (side.name, ways): self.work.prepare(work, side, ways)
            for side in self.sides
            for ways in sizes[side.name]
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
        for side in self.sides:
            found = {
                ways: seconds[side.name, ways] for ways in sizes[side.name]
            }
            fastest = min(found, key=lambda n: statistics.median(found[n]))
            row: Dict[str, Any] = dict(
                work=work, batch_size=size, side=side.name
            )
            row.update(
                self._measure(
                    side,
                    work,
                    fastest,
                    functions[side.name, fastest],
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
        side: Side,
        work: str,
        size: int,
        run: Callable,
        taken: List[float],
    ) -> Dict[str, Any]:
        """Returns the figures of one contender."""
        gflops, lengths = self._cost_of(work, side, size)
        number = len(gflops)
        found: Dict[str, Any] = dict(
            clips_at_once=size,
            seconds_per_clip=statistics.median(taken) / number,
            seconds_per_clip_min=min(taken) / number,
            seconds_per_clip_max=max(taken) / number,
            clips_per_second=number / statistics.median(taken),
            gflops_per_clip=statistics.mean(gflops),
            lengths=lengths,
            sgs_seconds_per_clip=self._sgs_seconds(side, run) / number,
            memory=peak_memory(partial(run, 1), self.options.device),
        )
        if work == 'pipeline':
            parts = [
                child
                for name, child in side.model.named_children()
                if name != 'data_preprocessor'
            ]
            seconds = time_within(parts, run) / number
            found['network_share'] = seconds / found['seconds_per_clip']
        return found

    def _sgs_seconds(self, side: Side, run: Callable[[], None]) -> float:
        """Times the sampling layers alone, in as many rounds."""
        layers = sgs_layers(side.model).values()
        if not layers:
            return 0.0
        return statistics.median(
            time_within(layers, run) for _ in range(self.options.rounds)
        )

    def _cost_of(
        self, work: str, side: Side, size: int
    ) -> Tuple[List[float], List]:
        """Runs a contender once; returns GFLOPs and lengths of its clips."""
        if side.peer != 'padded':
            with ClipRecorder(side.model, side.cost) as recorder:
                self.work.prepare(work, side, size)()
                records = recorder.take()
            return records.gflops.tolist(), records.lengths.tolist()
        # Same lengths as the recognizer, in batches.
        _, lengths = self._cost_of(work, self.adaptive, size)
        views = len(lengths) // self.options.clips if work == 'pipeline' else 1
        if side.clips is not None:
            shape = side.shape
        else:
            shape = clip_shape(side.cfg, self.options.shape)
        gflops: List[float] = []
        for start in range(0, len(lengths), size * views):
            batch = lengths[start : start + size * views]
            gflops += [side.cost.gflops(shape, max(batch))] * len(batch)
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
