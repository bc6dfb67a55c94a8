"""Options of a benchmark: what to time, against what, and how."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch

__all__ = ['EXECUTIONS', 'PEERS', 'PRECISIONS', 'WORKS', 'BenchmarkOptions']

WORKS = ('forward', 'train', 'pipeline')
PEERS = ('padded', 'longest')
EXECUTIONS = ('auto', 'packed', 'sequential')
PRECISIONS = dict(fp32=None, bf16=torch.bfloat16, fp16=torch.float16)


@dataclass
class BenchmarkOptions:
    """Options of a :class:`Benchmark`.

    Attributes:
        config (str): Path of the config of a recognizer that samples.
        checkpoint (str, optional): Its checkpoint.
        baseline (str, optional): Config of the base; None takes the config
            without sampling.
        peer (str, optional): One of ``PEERS``, timed as well: 'padded' is the
            authors' way, zeros up to the longest clip of the batch; 'longest'
            gives every clip as many groups as the longest of its batch.
        fast_base (bool): Whether to time the base with channels_last=True.
        fuse (bool): Whether to time both after :func:`mmatfr.models.fuse`.
        work (Sequence[str]): Of ``WORKS``.
        execution (Sequence[str], optional): Of ``EXECUTIONS``; None takes the
            config's.
        lengths (list[tuple[int]], optional): B' of the clips, over and over.
        resolution (tuple[float, float], optional): Mean and standard
            deviation of the B'/T that are drawn. Without it and ``lengths``,
            those of the network on the test set.
        shape (Sequence[int], optional): (T, H, W) of clips of noise; None
            takes that of the test pipeline.
        clips (int): Number of clips of a round.
        rounds (int): How often everything is timed.
        device (str): Where.
        precision (str): One of ``PRECISIONS``.
        threads (int, optional): Threads on the CPU; None takes torch's.
        workers (int): Processes that decode.
        seed (int): Of weights, lengths and noise.
        cfg_options (dict): Settings on top of the configs.

    Raises:
        ValueError: If a number is not positive, or two options do not go
            together.
    """

    config: str
    checkpoint: Optional[str] = None
    baseline: Optional[str] = None
    peer: Optional[str] = None
    fast_base: bool = False
    fuse: bool = False
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
            raise ValueError('--fuse is for --work forward and pipeline')
        if self.peer == 'longest':
            if not (self.lengths or self.resolution):
                raise ValueError(
                    '--peer longest needs --lengths or --resolution'
                )
            if 'pipeline' in self.work:
                raise ValueError(
                    '--peer longest is for --work forward and train'
                )
        if torch.device(self.device).type == 'cuda' and (
            not torch.cuda.is_available()
        ):
            raise ValueError(
                f'--device {self.device}: torch sees no GPU; set --device cpu'
            )
