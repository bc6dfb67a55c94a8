"""Temporal resolution in the log and in the data samples."""

from typing import Dict, Optional, Sequence

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn

from mmatfr.analysis import ClipRecorder

__all__ = ['TemporalResolutionHook']


@HOOKS.register_module()
class TemporalResolutionHook(Hook):
    """Follows the temporal resolution of the clips.

    In training it logs ``temporal_resolution``, the mean of B'/T. In
    validation and testing it gives every data sample, before the evaluator
    sees it, ``lengths`` (B' of each view), ``num_frames`` (T) and ``gflops``
    (of each view), which :class:`mmatfr.evaluation.AdaptiveCostMetric` adds
    up. Works without sampling too, where B' is T.
    """

    def __init__(self) -> None:
        self._recorder: Optional[ClipRecorder] = None
        self._handle = None

    def before_val(self, runner) -> None:
        """Starts to watch the recognizer."""
        self._start(runner)

    def after_val(self, runner) -> None:
        """Stops."""
        self._stop()

    def before_test(self, runner) -> None:
        """Starts to watch the recognizer."""
        self._start(runner)

    def after_test(self, runner) -> None:
        """Stops."""
        self._stop()

    def _start(self, runner) -> None:
        recognizer = _unwrap(runner.model)
        self._recorder = ClipRecorder(recognizer).__enter__()
        self._handle = recognizer.register_forward_hook(self._annotate)

    def _stop(self) -> None:
        self._handle.remove()
        self._recorder.__exit__()

    def _annotate(
        self, recognizer: nn.Module, args: tuple, data_samples: Sequence
    ) -> None:
        records = self._recorder.take()
        views = len(records.lengths) // len(data_samples)
        for sample, lengths, gflops in zip(
            data_samples,
            records.lengths.split(views),
            records.gflops.split(views),
        ):
            sample.set_metainfo(
                dict(
                    lengths=lengths.tolist(),
                    num_frames=records.num_frames,
                    gflops=gflops.tolist(),
                )
            )

    def after_train_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[Dict] = None,
    ) -> None:
        """Logs the mean B'/T of the batch."""
        backbone = _unwrap(runner.model).backbone
        lengths = getattr(backbone, 'lengths', None)
        if lengths is not None:
            num_frames = backbone.sgs.groups.index.shape[1]
            runner.message_hub.update_scalar(
                'train/temporal_resolution',
                float(lengths.float().mean() / num_frames),
            )


def _unwrap(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model
