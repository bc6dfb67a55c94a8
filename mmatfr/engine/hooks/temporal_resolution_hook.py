"""Temporal resolution in the log, the visualizer and the data samples."""

import json
import os.path as osp
from collections import deque
from contextlib import ExitStack
from typing import Any, Deque, Dict, List, Optional, Sequence

from mmaction.models.recognizers import BaseRecognizer
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset
from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from torch import Tensor

from mmatfr.apis import average_views, unwrap
from mmatfr.atomic_write import write_text
from mmatfr.cost import ClipRecorder, all_clips, rank_classes, summarize
from mmatfr.sgs import check_integer
from mmatfr.visualization.charts import draw_histograms
from mmatfr.visualization.figures import to_image

__all__ = ['TemporalResolutionHook']

_NAMED_CLASSES = 2  # of each end of the ranking, in the log


@HOOKS.register_module()
class TemporalResolutionHook(Hook):
    """Reports the temporal resolution and the cost of clips.

    In validation and testing, the hook

    - adds to every data sample ``lengths`` (B' of each view), ``num_frames``
      (T), ``gflops`` (of each view) and ``sgs_layers`` (names of the sampling
      layers), for :class:`mmatfr.evaluation.AdaptiveCostMetric`, and
      ``groups`` (for each of these layers the group of each frame of each
      view) and ``clip_frames`` (number of frames of a view in the input), for
      :class:`mmatfr.evaluation.DensityMetric`;
    - writes ``temporal_resolution_val_<epoch>.json`` (``_<iteration>`` if the
      training counts iterations) or ``temporal_resolution_test.json`` into the
      folder of the log, with statistics of the whole data set and of every
      class, sorted by temporal resolution, and names both ends of this ranking
      in the log;
    - sends histograms of B'/T and of GFLOPs per clip to every back end of the
      visualizer, as a figure, and as values if the back end draws histograms
      itself (TensorBoard); mean, standard deviation and percentiles are
      scalars named ``<split>/...``.

    In training it logs ``temporal_resolution`` and ``gflops_per_clip``, the
    means over a batch. Every ``interval`` iterations it sends percentiles and
    histograms of the latest ``window`` clips of the process to the visualizer.

    It also works without sampling, where B' is T, and with any number of
    sampling layers, where B'/T is the mean over the layers.

    Args:
        interval (int): Number of training iterations between histograms.
            Defaults to 100.
        window (int): Number of training clips in a histogram. Defaults to
            1000.

    Attributes:
        videos (list[dict]): Results of the videos of the last
            validation or testing, for :mod:`mmatfr.cost.statistics`.

    Raises:
        ValueError: If a number is not a positive integer.
    """

    _recorder: ClipRecorder  # of a run

    def __init__(self, interval: int = 100, window: int = 1000) -> None:
        check_integer('interval', interval)
        check_integer('window', window)
        self.interval = interval
        self.videos: List[Dict] = []
        self._latest: Deque[Dict] = deque(maxlen=window)
        # What is to be taken off the model after a run, and after an epoch.
        self._recording = ExitStack()
        self._annotating = ExitStack()

    # ---- recording, throughout a run ----

    def before_run(self, runner) -> None:
        """Starts to record the clips of the recognizer."""
        # Of a run that was interrupted.
        self._annotating.close()
        self._recording.close()
        self._recorder = ClipRecorder(unwrap(runner.model))
        self._recording.enter_context(self._recorder)

    def after_run(self, runner) -> None:
        """Stops recording."""
        self._recording.close()

    # ---- validation and testing ----

    def before_val_epoch(self, runner) -> None:
        """Starts to add cost and B' to data samples."""
        self._start(runner)

    def before_test_epoch(self, runner) -> None:
        """Starts to add cost and B' to data samples."""
        self._start(runner)

    def after_val_epoch(
        self, runner, metrics: Optional[Dict[str, float]] = None
    ) -> None:
        """Writes, logs and draws the cost of the validation set."""
        self._finish(
            runner,
            runner.val_dataloader.dataset,
            'val',
            step_of_training(runner),
        )

    def after_test_epoch(
        self, runner, metrics: Optional[Dict[str, float]] = None
    ) -> None:
        """Writes, logs and draws the cost of the test set."""
        self._finish(runner, runner.test_dataloader.dataset, 'test')

    def before_val_iter(
        self, runner, batch_idx: int, data_batch: Optional[dict] = None
    ) -> None:
        """Drops the clips of forwards that other hooks ran."""
        self._recorder.drop_records()

    def before_test_iter(
        self, runner, batch_idx: int, data_batch: Optional[dict] = None
    ) -> None:
        """Drops the clips of forwards that other hooks ran."""
        self._recorder.drop_records()

    def _start(self, runner) -> None:
        self.videos = []
        recognizer = unwrap(runner.model)
        handle = recognizer.register_forward_hook(
            self._annotate, with_kwargs=True
        )
        self._annotating.callback(handle.remove)

    def _annotate(
        self,
        recognizer: BaseRecognizer,
        args: tuple,
        kwargs: dict,
        outputs: Any,
    ) -> None:
        records = self._recorder.pop_records()
        given = args[1] if len(args) > 1 else kwargs.get('data_samples')
        # A head that returns features returns no samples.
        data_samples = given if isinstance(outputs, Tensor) else outputs
        if not data_samples:
            return
        views = len(records.lengths) // len(data_samples)
        for place, (sample, lengths, gflops) in enumerate(
            zip(
                data_samples,
                records.lengths.split(views),
                records.gflops.split(views),
                strict=True,
            )
        ):
            video = dict(
                lengths=lengths.tolist(),
                num_frames=records.num_frames,
                gflops=gflops.tolist(),
                sgs_layers=self._recorder.layers,
            )
            of_video = slice(place * views, (place + 1) * views)
            groups = [of[of_video].tolist() for of in records.groups]
            sample.set_metainfo(
                dict(video, groups=groups, clip_frames=records.clip_frames)
            )
            self.videos.append(dict(video, **_read_labels(sample)))

    def _finish(
        self, runner, dataset: BaseDataset, split: str, step: int = 0
    ) -> None:
        self._annotating.close()
        videos = collect_results(self.videos, len(dataset), device='cpu')
        if not videos:  # not the main process
            return
        self.videos = videos
        metainfo = getattr(dataset, 'metainfo', {})
        summary = summarize(videos)
        ranked = rank_classes(videos, metainfo.get('classes') or ())
        name = f'_{step}' if split == 'val' else ''
        path = osp.join(
            runner.log_dir, f'temporal_resolution_{split}{name}.json'
        )
        write_text(
            path, json.dumps(dict(all=summary, classes=ranked), indent=2)
        )
        if self._recorder.layers and ranked:
            runner.logger.info(f'{_name_ends(ranked)}; see {path}')
        if self._recorder.layers and all_clips(videos)[0].min() == 1:
            runner.logger.warning(
                'every clip has as many groups as frames, so nothing is '
                'saved: lower `num_bins` in the `sgs` of the backbone'
            )
        runner.visualizer.add_scalars(
            {f'{split}/{key}': value for key, value in summary.items()},
            step=step,
        )
        self._draw(runner, videos, split, step)

    # ---- training ----

    def before_train_iter(
        self, runner, batch_idx: int, data_batch: Optional[dict] = None
    ) -> None:
        """Drops the clips of forwards that other hooks ran."""
        self._recorder.drop_records()

    def after_train_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[Dict] = None,
    ) -> None:
        """Logs the batch, and at intervals the latest clips."""
        if not self._recorder.layers:
            return
        records = self._recorder.pop_records()
        for name, values in (
            ('temporal_resolution', records.resolution),
            ('gflops_per_clip', records.gflops),
        ):
            runner.message_hub.update_scalar(
                f'train/{name}', float(values.mean())
            )
        self._latest += [
            dict(
                lengths=[clip],
                num_frames=records.num_frames,
                gflops=[gflops],
                sgs_layers=self._recorder.layers,
            )
            for clip, gflops in zip(
                records.lengths.tolist(), records.gflops.tolist(), strict=True
            )
        ]
        if (
            self.every_n_train_iters(runner, self.interval)
            and is_main_process()
        ):
            self._draw_training(runner)

    def _draw_training(self, runner) -> None:
        step = runner.iter + 1
        summary = summarize(self._latest)
        runner.visualizer.add_scalars(
            {
                f'train/{name}': value
                for name, value in summary.items()
                if 'gflops_per_video' not in name
                and name not in ('temporal_resolution', 'gflops_per_clip')
            },
            step=step,
        )
        self._draw(runner, self._latest, 'train', step)

    def _draw(
        self, runner, videos: Sequence[Dict], split: str, step: int
    ) -> None:
        shares, gflops = all_clips(videos)
        values = dict(temporal_resolution=shares, gflops_per_clip=gflops)
        visualizer = runner.visualizer
        # A local back end turns names into files, so they have no slash.
        visualizer.add_image(
            f'temporal_resolution_{split}',
            to_image(draw_histograms(shares, gflops)),
            step=step,
        )
        for backend in visualizer._vis_backends.values():
            add_histogram = getattr(backend.experiment, 'add_histogram', None)
            if add_histogram is not None:
                for name, data in values.items():
                    add_histogram(f'{split}/{name}_histogram', data, step)


def step_of_training(runner) -> int:
    """Returns the step at which a training validates.

    Args:
        runner (Runner): The runner.

    Returns:
        int: The epoch, or the iteration if the training or the log counts
        iterations; 0 without training.
    """
    loop = runner._train_loop
    # The property would build the training loop.
    if isinstance(loop, (dict, type(None))):
        return 0
    # A loop of iterations has one epoch only.
    by_iter = isinstance(loop, IterBasedTrainLoop)
    if by_iter or not runner.log_processor.by_epoch:
        return loop.iter
    return loop.epoch


def _name_ends(ranked: Sequence[Dict]) -> str:
    ends = (
        ('lowest', ranked[:_NAMED_CLASSES]),
        ('highest', ranked[: -_NAMED_CLASSES - 1 : -1]),
    )
    return "B'/T by class: " + '; '.join(
        f'{end} '
        + ', '.join(
            f'{row["name"]} {row["temporal_resolution"]:.2f}' for row in rows
        )
        for end, rows in ends
    )


def _read_labels(sample: ActionDataSample) -> Dict:
    """Reads the classes of a video, and whether it was recognized."""
    labels = getattr(sample, 'gt_label', None)
    if labels is None:
        return dict(labels=[])
    # One index, or a multi-hot vector.
    labels = (labels if len(labels) == 1 else labels.nonzero()).flatten()
    # -1 means no label, as in mmaction2.
    found: Dict[str, Any] = dict(
        labels=[label for label in labels.tolist() if label >= 0]
    )
    scores = getattr(sample, 'pred_score', None)
    if isinstance(scores, Tensor) and found['labels']:
        best = int(average_views(scores).argmax())
        found['correct'] = best in found['labels']
    return found
