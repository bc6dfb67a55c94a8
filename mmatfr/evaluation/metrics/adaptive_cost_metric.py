"""What the clips of a data set cost."""

from typing import Dict, List, Sequence

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from mmatfr.cost import headline, summarize

__all__ = ['AdaptiveCostMetric']


@METRICS.register_module()
class AdaptiveCostMetric(BaseMetric):
    """Temporal resolution and GFLOPs, to stand beside ``AccMetric``.

    Reads what :class:`mmatfr.engine.TemporalResolutionHook` writes into the
    data samples. Reports, of all clips (views) of the data set,

    - ``temporal_resolution``, the mean of B'/T, and its 5th and 95th
      percentile, with the endings ``_p5`` and ``_p95``;
    - ``length_mean``, ``length_std``, ``length_min`` and ``length_max`` of
      B'; where several layers sample, ``temporal_resolution`` is a clip's
      mean over the layers, and ``<layer>/temporal_resolution`` and
      ``<layer>/temporal_resolution_std`` take the place of these;
    - ``gflops_per_clip``, the mean giga multiply-adds of a view, and where
      there are several views, ``gflops_per_video``, of all views of a video.

    More percentiles, and the same by class, are in the file that the hook
    writes.

    Args:
        collect_device (str): Where the results of all ranks are collected.
            Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to None, which
            stands for 'cost'.
    """

    default_prefix = 'cost'

    def process(
        self, data_batch: Sequence[Dict], data_samples: Sequence[Dict]
    ) -> None:
        """Takes in the videos of a batch.

        Raises:
            ValueError: If the hook did not run, or the head gives no samples.
        """
        for sample in data_samples:
            if not isinstance(sample, dict):
                raise ValueError(
                    'AdaptiveCostMetric reads data samples, and the head '
                    'gives features; leave it out, TemporalResolutionHook '
                    'writes the cost into a file of its own'
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
        """Adds the videos up."""
        return headline(summarize(results))
