"""Density of the groups of clips inside and outside a word."""

from typing import Dict, List, Sequence, Tuple, Union

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

__all__ = ['DensityMetric', 'count_groups']


def count_groups(groups: Union[np.ndarray, Sequence[int]]) -> np.ndarray:
    """Returns the share of each frame of a clip in its group.

    Args:
        groups (np.ndarray | Sequence[int]): The group of each of the T frames.

    Returns:
        np.ndarray: (T,), 1 for a single frame, 1/2 for each of two frames that
        share a group. The sum is B'.
    """
    _, place, sizes = np.unique(
        groups, return_inverse=True, return_counts=True
    )
    return 1 / sizes[place]


@METRICS.register_module()
class DensityMetric(BaseMetric):
    """Distribution of the groups over the frames of clips.

    The density of a span of frames is its share of the groups of a clip
    divided by its share of the frames: 1 with equal groups, 2 if its frames
    have twice as many groups as the average frame. A group that is partly in
    the span counts with these frames. The metric reports the means over the
    clips:

    - ``word`` and ``sentence``, the densities of the word and of the whole
      sentence around it;
    - ``word_to_rest`` and ``sentence_to_rest``, ratios of these densities to
      that of the other frames: all groups of all spans divided by all their
      frames, over the same for the rest.

    Clips entirely inside or outside the span are left out. With several
    sampling layers, each counts like a clip; without sampling nothing is
    reported.

    It reads the spans from :class:`mmatfr.datasets.WordVideoDataset`, and the
    groups that :class:`mmatfr.engine.TemporalResolutionHook` adds to the data
    samples. The pipeline has to pass on the spans:
    ``dict(type='PackActionInputs', meta_keys=('frame_inds', 'word',
    'sentence'))``.

    Args:
        collect_device (str): Where the results of all ranks are collected.
            Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to None, which
            means 'density'.
    """

    default_prefix = 'density'
    _SPANS = ('word', 'sentence')

    def process(
        self, data_batch: Sequence[Dict], data_samples: Sequence[Dict]
    ) -> None:
        """Adds the videos of a batch.

        Raises:
            ValueError: If there are no samples, or one has no groups,
                frames or spans.
        """
        for sample in data_samples:
            if not isinstance(sample, dict):
                raise ValueError(
                    'DensityMetric needs data samples, but the head returns '
                    'none; remove the metric'
                )
            for key, remedy in (
                *(
                    (key, 'add TemporalResolutionHook to `custom_hooks`')
                    for key in ('groups', 'clip_frames')
                ),
                *(
                    (key, f'add {key!r} to `meta_keys` of PackActionInputs')
                    for key in ('frame_inds', *self._SPANS)
                ),
            ):
                if key not in sample:
                    raise ValueError(
                        f'DensityMetric found no `{key}` in the data samples; '
                        f'{remedy}'
                    )
            num_frames = sample['clip_frames']
            times = np.reshape(sample['frame_inds'], (-1, num_frames))
            measured = []
            for views in map(np.asarray, sample['groups']):
                # A layer with fewer frames sees the first of each stretch.
                seen = np.arange(views.shape[1]) * num_frames // views.shape[1]
                # One crop of all clips follows another.
                measured += [
                    self._measure(
                        groups, times[view % len(times), seen], sample
                    )
                    for view, groups in enumerate(views)
                ]
            self.results.append(measured)

    def _measure(
        self, groups: np.ndarray, times: np.ndarray, sample: Dict
    ) -> Dict[str, Tuple[float, float, int, int]]:
        """Counts groups and frames inside and outside each span."""
        shares = count_groups(groups)
        measured = {}
        for name in self._SPANS:
            start, end = sample[name]
            inside = (start <= times) & (times < end)
            measured[name] = (
                float(shares[inside].sum()),
                float(shares[~inside].sum()),
                int(inside.sum()),
                int((~inside).sum()),
            )
        return measured

    def compute_metrics(self, results: List[List]) -> Dict[str, float]:
        """Averages the clips."""
        metrics = {}
        for name in self._SPANS:
            spans = np.array(
                [
                    clip[name]
                    for video in results
                    for clip in video
                    if all(clip[name][2:])
                ]
            )
            if not len(spans):
                continue
            within, without, frames, others = spans.T
            share = within / (within + without)
            density = share / (frames / (frames + others))
            rest = without.sum() / others.sum()
            metrics[name] = float(density.mean())
            metrics[f'{name}_to_rest'] = float(
                within.sum() / frames.sum() / rest
            )
        return metrics
