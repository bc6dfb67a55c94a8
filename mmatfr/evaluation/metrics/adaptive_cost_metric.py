"""What the clips of a data set cost."""

from typing import Dict, List, Sequence

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

__all__ = ['AdaptiveCostMetric']


@METRICS.register_module()
class AdaptiveCostMetric(BaseMetric):
    """Temporal resolution and GFLOPs, to stand beside ``AccMetric``.

    Reads what :class:`mmatfr.engine.TemporalResolutionHook` writes into the
    data samples. Reports, over all clips (views) of the data set:

    - ``length_mean``, ``length_std``, ``length_min``, ``length_max``,
      ``length_p5``, ``length_p50``, ``length_p95``: mean, standard deviation,
      bounds and percentiles of B';
    - ``temporal_resolution``, ``temporal_resolution_std``: mean and standard
      deviation of B'/T;
    - ``gflops_per_clip``, ``gflops_per_video``: mean giga multiply-adds of a
      view, and of all views of a video.

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
            KeyError: If the hook did not run.
        """
        for sample in data_samples:
            if 'gflops' not in sample:
                raise KeyError(
                    'AdaptiveCostMetric found no `gflops` in the data '
                    'samples. Add dict(type="TemporalResolutionHook") to '
                    '`custom_hooks` of the config'
                )
            self.results.append(
                {
                    key: sample[key]
                    for key in ('lengths', 'num_frames', 'gflops')
                }
            )

    def compute_metrics(self, results: List[Dict]) -> Dict[str, float]:
        """Adds the videos up."""
        lengths = np.concatenate([video['lengths'] for video in results])
        share = np.concatenate(
            [
                np.divide(video['lengths'], video['num_frames'])
                for video in results
            ]
        )
        per_video = [np.sum(video['gflops']) for video in results]
        per_clip = np.concatenate([video['gflops'] for video in results])
        metrics = dict(
            length_mean=lengths.mean(),
            length_std=lengths.std(),
            length_min=lengths.min(),
            length_max=lengths.max(),
            temporal_resolution=share.mean(),
            temporal_resolution_std=share.std(),
            gflops_per_clip=per_clip.mean(),
            gflops_per_video=np.mean(per_video),
        )
        for percentile in (5, 50, 95):
            metrics[f'length_p{percentile}'] = np.percentile(
                lengths, percentile
            )
        return {name: float(value) for name, value in metrics.items()}
