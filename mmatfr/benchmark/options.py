"""Options of a benchmark."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch

__all__ = ['EXECUTIONS', 'PADDINGS', 'PRECISIONS', 'WORKS', 'BenchmarkOptions']

WORKS = ('forward', 'train', 'pipeline')
PADDINGS = ('padded', 'longest')
EXECUTIONS = ('auto', 'packed', 'sequential')
PRECISIONS = dict(fp32=None, bf16=torch.bfloat16, fp16=torch.float16)


@dataclass
class BenchmarkOptions:
    """Options of a :class:`Benchmark`.

    Attributes:
        config (str): Path of the config of a recognizer that samples.
        checkpoint (str, optional): Its checkpoint.
        baseline (str, optional): Config of the base; None means the config
            without sampling.
        padding (str, optional): One of ``PADDINGS``, timed as well: 'padded'
            is the authors' way, clips padded with zeros to the longest of the
            batch; 'longest' gives every clip as many groups as the longest of
            its batch.
        fast_base (bool): Whether to also time the base with
            channels_last=True, and the recognizer where that is not the
            default.
        fuse (bool): Whether to also time both after
            :func:`mmatfr.models.fuse`.
        cuda_graph (bool): Whether to also time forwards of the base as a CUDA
            graph, which starts all its operations at once; in its default
            memory format.
        work (Sequence[str]): Kinds of work out of ``WORKS``.
        execution (Sequence[str], optional): Executions out of ``EXECUTIONS``;
            None means that of the config.
        lengths (list[tuple[int]], optional): B' of the clips, repeated in a
            cycle.
        resolution (tuple[float, float], optional): Mean and standard deviation
            of the B'/T to draw. Without it and ``lengths``, B' is that of the
            network on the test set.
        shape (Sequence[int], optional): (T, H, W) of clips of noise; None
            means that of the test pipeline.
        clips (int): Number of clips per round.
        rounds (int): Number of rounds.
        device (str): The device.
        precision (str): One of ``PRECISIONS``.
        threads (int, optional): Number of CPU threads; None means the default
            of torch.
        workers (int): Number of processes for decoding.
        seed (int): Seed of weights, lengths and noise.
        cfg_options (dict): Settings that override the configs.

    Raises:
        ValueError: If a number is not positive, or two options exclude each
            other.
    """

    config: str
    checkpoint: Optional[str] = None
    baseline: Optional[str] = None
    padding: Optional[str] = None
    fast_base: bool = False
    fuse: bool = False
    cuda_graph: bool = False
    work: Sequence[str] = ('forward',)
    execution: Optional[Sequence[str]] = None
    lengths: Optional[List[Tuple[int, ...]]] = None
    resolution: Optional[Tuple[float, float]] = None
    shape: Optional[Sequence[int]] = None
    clips: int = 32
    rounds: int = 5
    device: str = 'cpu'
    precision: str = 'fp32'
    threads: Optional[int] = None
    workers: int = 0
    seed: int = 0
    cfg_options: Dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ('clips', 'rounds'):
            if getattr(self, name) < 1:
                raise ValueError(
                    f'--{name} {getattr(self, name)} must be positive'
                )
        if self.fuse and 'train' in self.work:
            raise ValueError(
                '--fuse works only with --work forward and pipeline'
            )
        if self.padding == 'longest':
            if not (self.lengths or self.resolution):
                raise ValueError(
                    '--padding longest needs --lengths or --resolution'
                )
            if 'pipeline' in self.work:
                raise ValueError(
                    '--padding longest works only with --work forward and '
                    'train'
                )
        if self.cuda_graph and 'forward' not in self.work:
            raise ValueError(
                '--cuda-graph works only with --work forward, but --work is '
                + ' '.join(self.work)
            )
        if self.cuda_graph and torch.device(self.device).type != 'cuda':
            raise ValueError(
                f'--cuda-graph needs a GPU, but --device is {self.device}'
            )
        if torch.device(self.device).type == 'cuda' and (
            not torch.cuda.is_available()
        ):
            raise ValueError(
                f'--device {self.device}: torch sees no GPU; set --device cpu'
            )
