"""Cost of the clips of a data set."""

from typing import Dict, List, Sequence

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from mmatfr.cost import headline, summarize

__all__ = ['AdaptiveCostMetric']


@METRICS.register_module()
class AdaptiveCostMetric(BaseMetric):
    """Temporal resolution and GFLOPs, to be used with ``AccMetric``.

    It reads the entries that :class:`mmatfr.engine.TemporalResolutionHook`
    adds to the data samples. It reports, over all clips (views) of the data
    set,

    - ``temporal_resolution``, the mean of B'/T, and its 5th and 95th
      percentile, with the suffixes ``_p5`` and ``_p95``;
    - ``length_mean``, ``length_std``, ``length_min`` and ``length_max`` of B';
      with several sampling layers, ``temporal_resolution`` is the mean over
      the layers, and ``<layer>/temporal_resolution`` and
      ``<layer>/temporal_resolution_std`` replace these four;
    - ``gflops_per_clip``, the mean giga multiply-adds of a view, and with
      several views, ``gflops_per_video``, the sum over the views of a video.

    The file of the hook contains more percentiles, and the same by class.

    Args:
        collect_device (str): Where the results of all ranks are collected.
            Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to None, which
            means 'cost'.
    """

    default_prefix = 'cost'

    def process(
        self, data_batch: Sequence[Dict], data_samples: Sequence[Dict]
    ) -> None:
        """Adds the videos of a batch.

        Raises:
            ValueError: If the hook did not run, or the head returns no
                samples.
        """
        for sample in data_samples:
            if not isinstance(sample, dict):
                raise ValueError(
                    'AdaptiveCostMetric reads data samples, but the head '
                    'returns features; remove the metric, '
                    'TemporalResolutionHook writes the cost to a file'
                )
            if 'gflops' not in sample:
                raise ValueError(
                    'AdaptiveCostMetric found no `gflops` in the data '
                    'samples; add dict(type="TemporalResolutionHook") to '
                    '`custom_hooks` of the config'
                )
            self.results.append(
                {
                    key: sample[key]
                    for key in (
                        'lengths',
                        'num_frames',
                        'gflops',
                        'sgs_layers',
                    )
                    if key in sample
                }
            )

    def compute_metrics(self, results: List[Dict]) -> Dict[str, float]:
        """Summarizes the videos."""
        return headline(summarize(results))
