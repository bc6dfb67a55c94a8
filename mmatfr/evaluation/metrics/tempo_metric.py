"""Results on tempo by length of the action."""

import csv
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from scipy.stats import spearmanr

from mmatfr.apis import average_views

__all__ = ['TempoMetric']


@METRICS.register_module()
class TempoMetric(BaseMetric):
    """Accuracy and temporal resolution by the length of the action.

    The actions of tempo take from an eighth of the video to all of it; the CSV
    files of the data set give the length of each. The metric reports

    - ``top1_short``, ``top1_long``: accuracy on the quarter of the videos
      whose actions are the shortest, and the longest, ties included;
    - ``spearman``: rank correlation of B' with the length of the action, if B'
      varies. It needs the entries that
      :class:`mmatfr.engine.TemporalResolutionHook` adds to the data samples,
      and is omitted without them.

    The pipeline has to pass on the names of the videos:
    ``dict(type='PackActionInputs', meta_keys=('filename',))``.

    Args:
        collect_device (str): Where the results of all ranks are collected.
            Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to None, which
            means 'tempo'.
    """

    default_prefix = 'tempo'

    def process(
        self, data_batch: Sequence[Dict], data_samples: Sequence[Dict]
    ) -> None:
        """Adds the videos of a batch.

        Raises:
            ValueError: If a sample has no name, score or label, or is not a
                video of tempo.
        """
        for sample in data_samples:
            if not isinstance(sample, dict) or 'pred_score' not in sample:
                raise ValueError(
                    'TempoMetric needs class scores, but the head returns '
                    'none; remove the metric'
                )
            if 'filename' not in sample:
                raise ValueError(
                    'TempoMetric found no `filename` in the data samples; '
                    "add meta_keys=('filename',) to PackActionInputs of the "
                    'pipeline'
                )
            label = sample['gt_label'].flatten().tolist()
            if len(label) != 1 or label[0] < 0:
                raise ValueError(
                    f'TempoMetric needs one label for {sample["filename"]!r}, '
                    f'but got {label}; set ann_file to the list of tempo'
                )
            scores = average_views(sample['pred_score'])
            hit = int(scores.argmax()) == label[0]
            self.results.append(
                dict(
                    hit=hit,
                    action_length=_action_length(sample['filename']),
                    resolution=np.mean(sample.get('lengths', np.nan)),
                )
            )

    def compute_metrics(self, results: List[Dict]) -> Dict[str, float]:
        """Compares short and long actions."""
        hit, action_length, resolution = (
            np.array([video[name] for video in results])
            for name in ('hit', 'action_length', 'resolution')
        )
        short, long = np.percentile(action_length, (25, 75))
        metrics = dict(
            top1_short=hit[action_length <= short].mean(),
            top1_long=hit[action_length >= long].mean(),
        )
        if np.ptp(resolution) > 0 and np.ptp(action_length) > 0:
            correlation = spearmanr(resolution, action_length)
            metrics['spearman'] = correlation.statistic
        return {name: float(value) for name, value in metrics.items()}


def _action_length(filename: str) -> int:
    """Returns the length of the action of a video, .../videos/SPLIT/NAME."""
    video = Path(filename)
    split = video.parent.name
    table = video.parent.parent.parent / f'{split}.csv'
    lengths = _read_lengths(str(table))
    name = f'{split}/{video.name}'
    if name not in lengths:
        raise ValueError(
            f'TempoMetric only works on videos of tempo, but {filename!r} is '
            f'not listed in {str(table)!r}; remove the metric'
        )
    return lengths[name]


@lru_cache
def _read_lengths(table: str) -> Dict[str, int]:
    try:
        with open(table, newline='', encoding='utf-8') as file:
            return {
                row['filename']: int(row['length'])
                for row in csv.DictReader(file)
            }
    except FileNotFoundError:
        return {}
