"""Accuracy of each task of a head with several."""

from typing import Dict, List, Sequence

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

__all__ = ['TaskAccMetric']

_REMEDIES = dict(
    pred_task_labels='use TemporalAttentionHead',
    task_labels="add 'task_labels' to `meta_keys` of PackActionInputs",
)


@METRICS.register_module()
class TaskAccMetric(BaseMetric):
    """Accuracy of each task, and ``mean``, the mean over all tasks.

    It evaluates :class:`mmatfr.models.TemporalAttentionHead`. The pipeline has
    to pass on the labels: ``dict(type='PackActionInputs',
    meta_keys=('task_labels',))``.

    Args:
        collect_device (str): Where the results of all ranks are collected.
            Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to None, which
            means 'tasks'.
    """

    default_prefix = 'tasks'

    def process(
        self, data_batch: Sequence[Dict], data_samples: Sequence[Dict]
    ) -> None:
        """Adds the videos of a batch.

        Raises:
            ValueError: If a sample has no predictions or labels of tasks.
        """
        for sample in data_samples:
            for key, remedy in _REMEDIES.items():
                if not isinstance(sample, dict) or key not in sample:
                    raise ValueError(
                        f'TaskAccMetric found no `{key}` in the data samples; '
                        f'{remedy}'
                    )
            self.results.append(
                {
                    name: label == sample['task_labels'].get(name)
                    for name, label in sample['pred_task_labels'].items()
                }
            )

    def compute_metrics(self, results: List[Dict]) -> Dict[str, float]:
        """Averages the videos."""
        metrics = {
            name: float(np.mean([video[name] for video in results]))
            for name in results[0]
        }
        return dict(metrics, mean=float(np.mean([*metrics.values()])))
