"""How the results on tempo depend on the length of the action."""

import csv
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from scipy.stats import spearmanr

__all__ = ['TempoMetric']


@METRICS.register_module()
class TempoMetric(BaseMetric):
    """Accuracy and temporal resolution by the length of the action.

    The actions of tempo take from an eighth of the video to all of it, and
    the tables beside its videos say how long each is. Reports

    - ``top1_short``, ``top1_long``: accuracy on the quarter of the videos
      whose actions are the shortest, and the longest, ties included;
    - ``spearman``: rank correlation of B' with the length of the action, if
      B' differs at all. Reads what
      :class:`mmatfr.engine.TemporalResolutionHook` writes into the data
      samples, and is left out without it.

    The pipeline has to hand the names of the videos on:
    ``dict(type='PackActionInputs', meta_keys=('filename',))``.

    Args:
        collect_device (str): Where the results of all ranks are collected.
            Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to None, which
            stands for 'tempo'.
    """

    default_prefix = 'tempo'

    def process(
        self, data_batch: Sequence[Dict], data_samples: Sequence[Dict]
    ) -> None:
        """Takes in the videos of a batch.

        Raises:
            ValueError: If a sample has no name, score or label, or tempo no
                such video.
        """
        for sample in data_samples:
            if not isinstance(sample, dict) or 'pred_score' not in sample:
                raise ValueError(
                    'TempoMetric needs the scores of the classes, and the '
                    'head gives none; leave it out'
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
                    f'TempoMetric needs one label of {sample["filename"]!r}, '
                    f'and it has {label}; give the list of tempo as ann_file'
                )
            hit = int(sample['pred_score'].argmax()) == label[0]
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
    """Frames of the action of a video of tempo, .../videos/SPLIT/NAME."""
    video = Path(filename)
    split = video.parent.name
    table = video.parent.parent.parent / f'{split}.csv'
    lengths = _read_lengths(str(table))
    name = f'{split}/{video.name}'
    if name not in lengths:
        raise ValueError(
            f'TempoMetric works on the videos of tempo, and {filename!r} is '
            f'none: {str(table)!r} does not list it; leave the metric out'
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
