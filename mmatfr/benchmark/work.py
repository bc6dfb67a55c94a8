"""Work to time: clips, lengths, and functions that run them."""

import itertools
from contextlib import ExitStack, nullcontext
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor

from mmatfr.apis import clip_shape, frames_of
from mmatfr.cli import make_progress
from mmatfr.sgs import force_lengths, sgs_layers

from .options import PRECISIONS, BenchmarkOptions
from .timing import choose_kernels
from .variants import Variant

__all__ = ['Work', 'draw_lengths', 'make_noise']

Lengths = List[Tuple[int, ...]]


def draw_lengths(
    shares: Sequence[float], num_frames: Sequence[int]
) -> Lengths:
    """Converts shares B'/T to lengths B' of each sampling layer.

    Args:
        shares (Sequence[float]): B'/T of each clip, clipped to the possible
            range.
        num_frames (Sequence[int]): T of each layer.

    Returns:
        list[tuple[int]]: B' of each clip, for each layer.
    """
    return [
        tuple(min(n, max(1, round(share * n))) for n in num_frames)
        for share in shares
    ]


def make_noise(
    model: BaseRecognizer, num_clips: int, shape: Sequence[int], device: str
) -> Tensor:
    """Generates normalized clips of noise for a recognizer.

    Args:
        model (BaseRecognizer): The recognizer.
        num_clips (int): Number of clips N.
        shape (Sequence[int]): (C, T, H, W).
        device (str): The device.

    Returns:
        Tensor: (N, 1, C, T, H, W), or (N, T, C, H, W) for a 2D recognizer.
    """
    clips = torch.randn(num_clips, *shape, device=device)
    if frames_of(model) is None:
        return clips[:, None]
    return clips.transpose(1, 2).contiguous()


class Work:
    """Clips, their lengths, and functions that run a variant on them.

    Args:
        options (BenchmarkOptions): Options of the benchmark.
        variants (Sequence[Variant]): To run; each gets its clips.
        num_frames (Sequence[int]): T of each sampling layer of the recognizer.
    """

    def __init__(
        self,
        options: BenchmarkOptions,
        variants: Sequence[Variant],
        num_frames: Sequence[int],
    ) -> None:
        self.options = options
        self.lengths: Optional[Lengths] = options.lengths
        if options.resolution:
            shares = torch.normal(*options.resolution, (options.clips,))
            self.lengths = draw_lengths(shares.tolist(), num_frames)
        if {'forward', 'train'} & set(options.work):
            made: Dict[str, Tensor] = {}
            for variant in variants:
                key = variant.cfg.filename
                if key not in made:
                    made[key] = self._make_clips(variant)
                variant.clips = made[key]

    def _make_clips(self, variant: Variant) -> Tensor:
        if self.lengths is None:
            return self._read_clips(variant)
        return make_noise(
            variant.model,
            self.options.clips,
            clip_shape(variant.cfg, self.options.shape),
            self.options.device,
        )

    def _read_clips(self, variant: Variant) -> Tensor:
        clips: List[Tensor] = []
        with make_progress() as progress:
            for data in progress.track(
                self._loader(variant.cfg, 1), description='read clips'
            ):
                data = variant.model.data_preprocessor(data)
                inputs = data['inputs'].to(self.options.device)
                frames = frames_of(variant.model)  # one video at a time
                clips += (
                    inputs.transpose(0, 1)
                    if frames is None
                    else inputs[0].unflatten(0, (-1, frames))
                ).split(1)
                if len(clips) >= self.options.clips:
                    break
        return torch.cat(clips[: self.options.clips])

    def _loader(self, cfg: Config, batch_size: int):
        if cfg.get('test_dataloader') is None:
            raise ValueError(
                f'{cfg.filename!r} has no test_dataloader; give lengths with '
                '--lengths or --resolution'
            )
        loader = cfg.test_dataloader.copy()
        loader.update(
            batch_size=batch_size,
            num_workers=self.options.workers,
            persistent_workers=False,
            drop_last=False,
        )
        loader.dataset = loader.dataset.copy()
        loader.dataset.indices = self.options.clips
        return Runner.build_dataloader(loader, seed=self.options.seed)

    def prepare(
        self, work: str, variant: Variant, size: int, eager: bool = False
    ) -> Callable:
        """Makes a function that does a kind of work once, for all clips.

        Args:
            work (str): One of ``WORKS``.
            variant (Variant): To run.
            size (int): Number of clips per batch.
            eager (bool): Whether to call every module, and not to replay a
                CUDA graph. Defaults to False.

        Returns:
            Callable: A function of the number of batches, None for all.
        """
        if work == 'pipeline':
            batches = self._loader(variant.cfg, size)
            step = variant.model.test_step
        elif work == 'forward':
            assert variant.clips is not None
            batches = variant.clips.split(size)

            def step(clips: Tensor) -> None:
                variant.model(clips, mode='tensor', stage='head')

            if variant.graph and not eager:
                step = _Graph(step)
        else:
            assert variant.clips is not None
            batches = variant.clips.split(size)
            # A learning rate of 0 keeps the weights, and so the lengths.
            optimizer = torch.optim.SGD(
                variant.model.parameters(), lr=0.0, momentum=0.9
            )

            def step(clips: Tensor) -> None:
                _train(variant.model, clips, optimizer)

        def run(num_batches: Optional[int] = None) -> None:
            variant.model.train(work == 'train')
            with self._context(variant, size, training=work == 'train'):
                for batch in itertools.islice(batches, num_batches):
                    step(batch)

        return run

    def _context(
        self, variant: Variant, size: int, training: bool
    ) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(choose_kernels(variant.model))
        dtype = PRECISIONS[self.options.precision]
        stack.enter_context(nullcontext() if training else torch.no_grad())
        if dtype is not None:
            stack.enter_context(
                torch.autocast(torch.device(self.options.device).type, dtype)
            )
        if self.lengths is not None and sgs_layers(variant.model):
            lengths = self.lengths
            if variant.padding == 'longest':
                lengths = self._longest(lengths, size)
            stack.enter_context(force_lengths(variant.model, lengths))
        return stack

    def _longest(self, lengths: Lengths, size: int) -> Lengths:
        """Returns for each clip the lengths of the longest in its batch."""
        clips = list(
            itertools.islice(itertools.cycle(lengths), self.options.clips)
        )
        batches = [clips[i : i + size] for i in range(0, len(clips), size)]
        return [
            tuple(map(max, zip(*batch, strict=True)))
            for batch in batches
            for _ in batch
        ]


class _Graph:
    """Forwards replayed as a CUDA graph, one for each shape of the clips.

    Each replay first copies the clips. With autocast it also converts the
    weights again, which eager forwards do once per round.

    Args:
        forward (Callable): A function of clips, without a wait for the GPU.
    """

    def __init__(self, forward: Callable[[Tensor], None]) -> None:
        self.forward = forward
        self._captured: Dict[
            Tuple[int, ...], Tuple[torch.cuda.CUDAGraph, Tensor]
        ] = {}

    def __call__(self, clips: Tensor) -> None:
        if clips.shape not in self._captured:
            self._captured[clips.shape] = self._capture(clips.clone())
        graph, own = self._captured[clips.shape]
        own.copy_(clips)
        graph.replay()

    def _capture(self, clips: Tensor) -> Tuple[torch.cuda.CUDAGraph, Tensor]:
        # Weights that autocast converted before are not part of a graph.
        torch.clear_autocast_cache()
        cached = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):  # cuDNN chooses its kernels
                    self.forward(clips)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.forward(clips)
        finally:
            torch.set_autocast_cache_enabled(cached)
        return graph, clips


def _train(
    model: BaseRecognizer, clips: Tensor, optimizer: torch.optim.Optimizer
) -> None:
    samples = [ActionDataSample().set_gt_label(0) for _ in clips]
    samples = [sample.to(clips.device) for sample in samples]
    optimizer.zero_grad(set_to_none=True)
    with torch.enable_grad():
        losses = model(clips, samples, mode='loss')
        loss, _ = model.parse_losses(losses)
    loss.backward()
    optimizer.step()
