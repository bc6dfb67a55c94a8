"""What sampling saves in time: a recognizer against its base.

All sides are timed in turns, in one run. The base is the config without
sampling, or another config; of two ways to run a batch, at once or clip by
clip, the faster one counts, for every side but the peers that pad. What is
reported is the median over the rounds, its spread, and what becomes of the
saving: the ratio of the times over the ratio of the GFLOPs, which is 1 where
every multiply-add that is saved saves its time, and more where it does not.

  work      what is timed
  forward   the network, on clips that are in memory
  train     forward, backward and a step of the optimizer
  pipeline  the test pipeline: reading, decoding, the network, all views

Lengths B' come from the config's test set and the network (with an untrained
one they mean little: name a --checkpoint), or they are given, and clips are
noise then.

With --engine, one clip is run in several ways instead, in PyTorch and as an
exported file in ONNX Runtime and OpenVINO, with sampling and without, on given
B' (see docs/performance.md).
"""

import argparse
import itertools
import statistics
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import torch
from _engines import (
    add_arguments,
    check_arguments,
    compare_engines,
    explain_columns,
    print_engines,
)
from mmaction.structures import ActionDataSample
from mmengine.config import Config, DictAction
from mmengine.runner import Runner
from rich.console import Console
from torch import Tensor, nn

from mmatfr.apis import (
    build_recognizer,
    clip_shape,
    frames_of,
    load_config,
    load_recognizer,
    without_sampling,
)
from mmatfr.benchmark.contenders import Task
from mmatfr.benchmark.padded import make_padded
from mmatfr.benchmark.timing import peak_memory, time_in_turns, time_within
from mmatfr.cli import (
    make_progress,
    make_table,
    print_table,
    run_script,
    write_report,
)
from mmatfr.cost import ClipRecorder, CostModel
from mmatfr.models import fuse
from mmatfr.sgs import force_lengths, sgs_layers
from mmatfr.visualization.times import draw_benchmark, draw_engines

WORKS = ('forward', 'train', 'pipeline')
PRECISIONS = dict(fp32=None, bf16=torch.bfloat16, fp16=torch.float16)
_NOT_WITH_ENGINE = (
    'baseline',
    'peer',
    'fast_base',
    'fuse',
    'work',
    'batch_sizes',
    'execution',
    'lengths',
    'resolution',
    'clips',
    'device',
    'precision',
    'workers',
)
Lengths = List[Tuple[int, ...]]


def parse_lengths(text: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in text.split(','))


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config of a recognizer that samples')
    parser.add_argument('--checkpoint', help='its checkpoint')
    base = parser.add_mutually_exclusive_group()
    base.add_argument(
        '--baseline',
        metavar='CONFIG2',
        help='config of the base (default: the config without sampling)',
    )
    base.add_argument(
        '--peer',
        choices=['padded', 'longest'],
        help="padded: also time the authors' way, zeros up to the longest "
        'clip of the batch, on the base (3D, one pathway); longest: the least '
        'that it can cost, for any recognizer: itself, every clip with as '
        'many groups as the longest of its batch',
    )
    parser.add_argument(
        '--fast-base',
        action='store_true',
        help='also time the base with what makes the recognizer fast and is '
        'not sampling: channels_last=True (see docs/performance.md)',
    )
    parser.add_argument(
        '--fuse',
        action='store_true',
        help='also time the recognizer and the base with channels_last=True '
        'after mmatfr.models.fuse (not for --work train)',
    )
    parser.add_argument(
        '--work',
        nargs='+',
        choices=WORKS,
        default=['forward'],
        help='what is timed (default: forward)',
    )
    parser.add_argument(
        '--batch-sizes',
        type=int,
        nargs='+',
        default=[1, 8],
        help='default: 1 8',
    )
    parser.add_argument(
        '--execution',
        nargs='+',
        choices=['auto', 'packed', 'sequential'],
        help="execution of the recognizer (default: the config's)",
    )
    lengths = parser.add_mutually_exclusive_group()
    lengths.add_argument(
        '--lengths',
        type=parse_lengths,
        nargs='+',
        metavar='B',
        help="B' of the clips, over and over; where several layers sample, "
        'with a comma between them: 2,16 3,20',
    )
    lengths.add_argument(
        '--resolution',
        type=float,
        nargs=2,
        metavar=('MEAN', 'STD'),
        help="draw B'/T of the clips from a normal distribution",
    )
    parser.add_argument(
        '--shape',
        type=int,
        nargs=3,
        metavar=('T', 'H', 'W'),
        help='size of clips of noise (default: that of the test pipeline)',
    )
    parser.add_argument(
        '--clips',
        type=int,
        default=32,
        help='number of clips (pipeline: videos) of a round '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--rounds', type=int, help='default: 5, with --engine 10'
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--precision',
        choices=list(PRECISIONS),
        default='fp32',
        help='autocast to this precision (default: %(default)s)',
    )
    parser.add_argument(
        '--threads',
        type=int,
        nargs='+',
        help="threads on the CPU (default: torch's); with --engine one or "
        'several (default: 1 2)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        help='processes that decode (default: %(default)s)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='default: %(default)s'
    )
    parser.add_argument(
        '--out',
        default='results/benchmark',
        help='folder of the JSON file and the figure (default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that go on top of both configs, name=value',
    )
    add_arguments(parser.add_argument_group('engines'))
    args = parser.parse_args(argv)
    if args.rounds is None:
        args.rounds = 10 if args.engine else 5
    for name in ('clips', 'rounds'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} {getattr(args, name)} must be positive')
    if min(args.batch_sizes) < 1:
        parser.error(f'--batch-sizes {args.batch_sizes} must be positive')
    if args.peer == 'longest' and not (args.lengths or args.resolution):
        parser.error('--peer longest needs --lengths or --resolution')
    if args.fuse and 'train' in args.work:
        parser.error('--fuse is for --work forward and pipeline')
    if args.peer == 'longest' and 'pipeline' in args.work:
        parser.error('--peer longest is for --work forward and train')
    check_arguments(parser, args)
    if args.engine:
        for name in _NOT_WITH_ENGINE:
            if getattr(args, name) != parser.get_default(name):
                option = name.replace('_', '-')
                parser.error(f'--{option} does not go with --engine')
    elif args.kept:
        parser.error('--kept needs --engine; see --resolution')
    elif len(args.threads or ()) > 1:
        parser.error(f'--threads {args.threads}: several need --engine')
    return args


@dataclass
class Side:
    """A recognizer that takes part.

    Attributes:
        name (str): What the table calls it.
        model (nn.Module): The recognizer.
        cfg (Config): Its config.
        clips (Tensor, optional): What it is run on.
        peer (str, optional): The kind of peer it is: clip by clip it is none.
    """

    name: str
    model: nn.Module
    cfg: Config
    clips: Optional[Tensor] = None
    peer: Optional[str] = None


class Benchmark:
    """The sides, the lengths, and how one is run on the other."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        if args.threads:
            torch.set_num_threads(*args.threads)
        if torch.device(args.device).type == 'cuda':
            if not torch.cuda.is_available():
                raise ValueError(
                    f'--device {args.device}: torch sees no GPU; set --device '
                    'cpu'
                )
            torch.backends.cudnn.benchmark = False  # shapes vary
        self.cfg = self._load(args.config)
        self.adaptive = self._build(self.cfg)
        self.layers = tuple(sgs_layers(self.adaptive))
        if not self.layers:
            raise ValueError(
                f'{args.config!r} has no layer that samples; name a config '
                'with `sgs`'
            )
        self.cost = CostModel(self.adaptive)
        self.base_cost: CostModel
        self.sides = self._make_sides()
        self.lengths: Optional[Lengths] = self._make_lengths()
        if {'forward', 'train'} & set(args.work):
            self._make_clips()

    def _load(self, config: str) -> Config:
        cfg = load_config(config)
        cfg.merge_from_dict(self.args.cfg_options)
        return cfg

    def _build(self, cfg: Config) -> nn.Module:
        if not self.args.checkpoint:
            return build_recognizer(cfg.model)
        return load_recognizer(cfg, self.args.checkpoint)

    def _make_sides(self) -> List[Side]:
        args, weights = self.args, self.adaptive.state_dict()
        if args.baseline:
            base_cfg = self._load(args.baseline)
            base = build_recognizer(base_cfg.model)
        else:
            base_cfg = self.cfg
            base = build_recognizer(without_sampling(self.cfg.model))
            base.load_state_dict(weights, strict=False)
        self.base_cost = CostModel(base)
        sides = [Side('base', base, base_cfg)]
        if args.fast_base:
            model = without_sampling(self.cfg.model)
            model.backbone.channels_last = True
            fast = build_recognizer(model)
            fast.load_state_dict(weights, strict=False)
            sides.append(Side('base, channels last', fast, self.cfg))
        if args.execution is None:
            sides.append(Side('ATFR', self.adaptive, self.cfg))
        for execution in args.execution or ():
            cfg = self.cfg.copy()
            cfg.model.backbone.execution = execution
            model = build_recognizer(cfg.model)
            model.load_state_dict(weights)
            sides.append(Side(f'ATFR, {execution}', model, cfg))
        if args.fuse:
            config = without_sampling(self.cfg.model)
            config.backbone.channels_last = True
            model = build_recognizer(config)
            model.load_state_dict(weights, strict=False)
            sides.append(Side('base, fused', fuse(model.eval()), self.cfg))
            model = build_recognizer(self.cfg.model)
            model.load_state_dict(weights)
            sides.append(Side('ATFR, fused', fuse(model.eval()), self.cfg))
        if args.peer == 'padded':
            model = make_padded(self.adaptive, self.cfg.model)
            sides.append(Side('padded', model, self.cfg, peer='padded'))
        elif args.peer == 'longest':
            model = build_recognizer(self.cfg.model)
            model.load_state_dict(weights)
            sides.append(Side('longest', model, self.cfg, peer='longest'))
        for side in sides:
            side.model.to(args.device)
            if args.precision == 'bf16':
                # Its accuracy is taken by NumPy, which has no such numbers.
                side.model.cls_head.register_forward_hook(
                    lambda head, inputs, scores: scores.float()
                )
        return sides

    def _make_lengths(self) -> Optional[Lengths]:
        args = self.args
        if args.lengths:
            return args.lengths
        if not args.resolution:
            return None
        mean, std = args.resolution
        shares = torch.normal(mean, std, (args.clips,)).tolist()
        num_frames = self.cost.num_frames(clip_shape(self.cfg, args.shape))
        return [
            tuple(min(n, max(1, round(share * n))) for n in num_frames)
            for share in shares
        ]

    def _make_clips(self) -> None:
        made: Dict[str, Tensor] = {}
        for side in self.sides:
            key = side.cfg.filename
            if key not in made:
                if self.lengths is None:
                    made[key] = self._read_clips(side)
                else:
                    made[key] = self._make_noise(side)
            side.clips = made[key]

    def _make_noise(self, side: Side) -> Tensor:
        shape = clip_shape(side.cfg, self.args.shape)
        clips = torch.randn(self.args.clips, *shape, device=self.args.device)
        if frames_of(side.model) is None:
            return clips[:, None]
        return clips.transpose(1, 2).contiguous()

    def _read_clips(self, side: Side) -> Tensor:
        clips: List[Tensor] = []
        with make_progress() as progress:
            for data in progress.track(
                self._loader(side.cfg, 1), description='read clips'
            ):
                data = side.model.data_preprocessor(data)
                inputs = data['inputs'].to(self.args.device)
                frames = frames_of(side.model)  # one video at a time
                clips += (
                    inputs.transpose(0, 1)
                    if frames is None
                    else inputs[0].unflatten(0, (-1, frames))
                ).split(1)
                if len(clips) >= self.args.clips:
                    break
        return torch.cat(clips[: self.args.clips])

    def _loader(self, cfg: Config, batch_size: int):
        if cfg.get('test_dataloader') is None:
            raise ValueError(
                f'{cfg.filename!r} has no test_dataloader; give lengths with '
                '--lengths or --resolution'
            )
        loader = cfg.test_dataloader.copy()
        loader.update(
            batch_size=batch_size,
            num_workers=self.args.workers,
            persistent_workers=False,
            drop_last=False,
        )
        loader.dataset = loader.dataset.copy()
        loader.dataset.indices = self.args.clips
        return Runner.build_dataloader(loader, seed=self.args.seed)

    # ---- the work ----

    def prepare(self, work: str, side: Side, size: int) -> Callable:
        """Makes the function that does a work once, over all clips.

        Args:
            work (str): One of ``WORKS``.
            side (Side): What is run.
            size (int): Number of clips at once.

        Returns:
            Callable: Takes the number of batches, None for all.
        """
        if work == 'pipeline':
            loader = self._loader(side.cfg, size)

            def steps():
                return (
                    lambda data=data: side.model.test_step(data)
                    for data in loader
                )
        elif work == 'forward':

            def steps():
                return (
                    lambda clips=clips: side.model(
                        clips, mode='tensor', stage='head'
                    )
                    for clips in side.clips.split(size)
                )
        else:
            # A step of no width: the weights, and so the lengths, stay.
            optimizer = torch.optim.SGD(
                side.model.parameters(), lr=0.0, momentum=0.9
            )

            def steps():
                return (
                    lambda clips=clips: _train(side.model, clips, optimizer)
                    for clips in side.clips.split(size)
                )

        def run(num_batches: Optional[int] = None) -> None:
            side.model.train(work == 'train')
            with self._context(side, size, training=work == 'train'):
                for step in itertools.islice(steps(), num_batches):
                    step()

        return run

    def _context(self, side: Side, size: int, training: bool) -> ExitStack:
        stack = ExitStack()
        dtype = PRECISIONS[self.args.precision]
        stack.enter_context(nullcontext() if training else torch.no_grad())
        if dtype is not None:
            stack.enter_context(
                torch.autocast(torch.device(self.args.device).type, dtype)
            )
        if self.lengths is not None and sgs_layers(side.model):
            lengths = self.lengths
            if side.peer == 'longest':
                lengths = self._longest(size)
            stack.enter_context(force_lengths(side.model, lengths))
        return stack

    def _sgs_seconds(self, side: Side, run: Callable[[], None]) -> float:
        """Times the layers alone, as often as all was timed."""
        layers = sgs_layers(side.model).values()
        if not layers:
            return 0.0
        return statistics.median(
            time_within(layers, run) for _ in range(self.args.rounds)
        )

    def _longest(self, size: int) -> Lengths:
        """The lengths of the longest clips of all batches, for each clip."""
        clips = list(
            itertools.islice(itertools.cycle(self.lengths), self.args.clips)
        )
        batches = [clips[i : i + size] for i in range(0, len(clips), size)]
        return [
            tuple(map(max, zip(*batch))) for batch in batches for _ in batch
        ]

    def measure_cost(
        self, work: str, side: Side, size: int
    ) -> Tuple[List[float], List]:
        """Runs a side once and counts what each of its clips costs.

        Returns:
            tuple: GFLOPs of each clip, and their lengths.
        """
        if side.peer != 'padded':
            is_base = side.name.startswith('base')
            cost = self.base_cost if is_base else self.cost
            with ClipRecorder(side.model, cost) as recorder:
                self.prepare(work, side, size)()
                records = recorder.take()
            return records.gflops.tolist(), records.lengths.tolist()
        # Of the same lengths as the recognizer, in batches.
        adaptive = next(s for s in self.sides if s.name.startswith('ATFR'))
        _, lengths = self.measure_cost(work, adaptive, size)
        views = len(lengths) // self.args.clips if work == 'pipeline' else 1
        shape = clip_shape(self.cfg, self.args.shape)
        if side.clips is not None:
            shape = _shape_of(side)
        gflops: List[float] = []
        for start in range(0, len(lengths), size * views):
            batch = lengths[start : start + size * views]
            gflops += [self.cost.gflops(shape, max(batch))] * len(batch)
        return gflops, lengths

    def run_case(self, work: str, size: int, progress) -> List[Dict]:
        """Times all sides at one kind of work and one batch size."""
        sizes = {
            side.name: [size]
            if work == 'train' or size == 1 or side.peer
            else [size, 1]
            for side in self.sides
        }
        functions = {
            (side.name, ways): self.prepare(work, side, ways)
            for side in self.sides
            for ways in sizes[side.name]
        }
        task = progress.add_task(
            f'{work}, batch of {size}',
            total=len(functions) * (self.args.rounds + 1),
        )
        seconds = time_in_turns(
            functions,
            self.args.rounds,
            after_call=lambda: progress.advance(task),
        )
        rows = []
        for side in self.sides:
            fastest = min(
                sizes[side.name],
                key=lambda n: statistics.median(seconds[side.name, n]),
            )
            gflops, lengths = self.measure_cost(work, side, fastest)
            taken = seconds[side.name, fastest]
            run = functions[side.name, fastest]
            if work == 'pipeline':
                parts = [
                    child
                    for name, child in side.model.named_children()
                    if name != 'data_preprocessor'
                ]
                network = dict(
                    network_seconds_per_clip=time_within(parts, run)
                    / len(gflops)
                )
            else:
                network = {}
            rows.append(
                dict(
                    work=work,
                    batch_size=size,
                    side=side.name,
                    clips_at_once=fastest,
                    seconds_per_clip=statistics.median(taken) / len(gflops),
                    seconds_per_clip_min=min(taken) / len(gflops),
                    seconds_per_clip_max=max(taken) / len(gflops),
                    clips_per_second=len(gflops) / statistics.median(taken),
                    gflops_per_clip=statistics.mean(gflops),
                    lengths=lengths,
                    sgs_seconds_per_clip=self._sgs_seconds(side, run)
                    / len(gflops),
                    memory=peak_memory(partial(run, 1), self.args.device),
                    seconds={
                        f'{n} at once': seconds[side.name, n]
                        for n in sizes[side.name]
                    },
                    _taken=taken,
                    **network,
                )
            )
        base = rows[0]
        for row in rows:
            # Of the same round: what disturbs it disturbs both.
            ratios = [a / b for a, b in zip(row['_taken'], base['_taken'])]
            row.update(
                time_ratio=statistics.median(ratios),
                time_ratio_low=min(ratios),
                time_ratio_high=max(ratios),
                gflops_ratio=row['gflops_per_clip'] / base['gflops_per_clip'],
            )
            row['time_over_gflops'] = row['time_ratio'] / row['gflops_ratio']
            if work == 'pipeline':
                row['network_share'] = (
                    row.pop('network_seconds_per_clip')
                    / row['seconds_per_clip']
                )
            row['sgs_over_base'] = (
                row['sgs_seconds_per_clip'] / base['seconds_per_clip']
            )
        for row in rows:
            del row['_taken']
        return rows


def _shape_of(side: Side) -> Tuple[int, ...]:
    if frames_of(side.model) is None:
        return tuple(side.clips.shape[2:])
    _, num_frames, channels, *size = side.clips.shape
    return channels, num_frames, *size


def _train(
    model: nn.Module, clips: Tensor, optimizer: torch.optim.Optimizer
) -> None:
    samples = [ActionDataSample().set_gt_label(0) for _ in clips]
    samples = [sample.to(clips.device) for sample in samples]
    optimizer.zero_grad(set_to_none=True)
    with torch.enable_grad():
        losses = model(clips, samples, mode='loss')
        loss, _ = model.parse_losses(losses)
    loss.backward()
    optimizer.step()


def print_rows(rows: Sequence[Dict], console: Console) -> None:
    """Prints the table."""
    table = make_table(
        'time and GFLOPs',
        (
            'work, batch',
            'side',
            'at once',
            'ms/clip [min, max]',
            'clips/s',
            'GFLOPs/clip',
            'MB',
            'time ratio',
            'GFLOPs ratio',
            'time/GFLOPs',
            'SGS',
            'network',
        ),
    )
    for row in rows:
        network = row.get('network_share')
        table.add_row(
            f'{row["work"]}, {row["batch_size"]}',
            row['side'],
            str(row['clips_at_once']),
            f'{1e3 * row["seconds_per_clip"]:.4g} '
            f'[{1e3 * row["seconds_per_clip_min"]:.4g}, '
            f'{1e3 * row["seconds_per_clip_max"]:.4g}]',
            f'{row["clips_per_second"]:.4g}',
            f'{row["gflops_per_clip"]:.4g}',
            f'{row["memory"] / 2**20:.1f}',
            f'{row["time_ratio"]:.2f}',
            f'{row["gflops_ratio"]:.2f}',
            f'{row["time_over_gflops"]:.2f}',
            f'{100 * row["sgs_over_base"]:.1f} %',
            '' if network is None else f'{100 * network:.0f} %',
        )
    print_table(table, console, names=2)


def run_engines(args: argparse.Namespace) -> None:
    """Compares the ways to run one clip."""
    task = Task(
        args.config,
        args.cfg_options,
        args.checkpoint,
        args.seed,
        args.shape and tuple(args.shape),
    )
    with make_progress() as progress:
        rows = compare_engines(args, task, progress)
    console, name = Console(width=140), Path(args.config).stem
    explain_columns(console)
    print_engines(name, rows, console)
    write_report(
        Path(args.out),
        f'{name}-engines',
        dict(config=args.config, rounds=args.rounds, rows=rows),
        figure=draw_engines(rows),
    )


def run(args: argparse.Namespace) -> None:
    if args.engine:
        run_engines(args)
        return
    benchmark = Benchmark(args)
    rows: List[Dict] = []
    with make_progress() as progress:
        for work in args.work:
            for size in args.batch_sizes:
                rows += benchmark.run_case(work, size, progress)
    print_rows(rows, Console())
    if args.checkpoint is None and benchmark.lengths is None:
        print("note: no checkpoint, so these B' are those of random weights")
    write_report(
        Path(args.out),
        Path(args.config).stem,
        dict(
            config=args.config,
            baseline=args.baseline,
            device=args.device,
            precision=args.precision,
            rounds=args.rounds,
            rows=rows,
        ),
        figure=draw_benchmark([row for row in rows if row['side'] != 'base']),
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
