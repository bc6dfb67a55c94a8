"""Statistics of temporal resolution and cost of videos.

A *video* is a dict from :class:`mmatfr.engine.TemporalResolutionHook`:
``lengths``, B' of each of its V views, (V,), or (V, L) if L > 1 layers sample;
``num_frames``, T, or one number per layer; ``gflops`` of each view, (V,);
``sgs_layers``, the names of the layers; ``labels``, its classes; and, if
known, ``correct``, whether it was recognized.
"""

from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np

__all__ = [
    'PERCENTILES',
    'accuracy_by_resolution',
    'all_clips',
    'describe',
    'headline',
    'rank_classes',
    'resolution',
    'summarize',
]

PERCENTILES = (5, 50, 95)


def describe(
    values: Union[np.ndarray, Sequence[float]], mean: str, stem: str
) -> Dict[str, float]:
    """Computes mean, standard deviation and percentiles of values.

    Args:
        values (np.ndarray | Sequence[float]): The values.
        mean (str): Name of the mean.
        stem (str): Prefix of the other names.

    Returns:
        dict[str, float]: ``mean``, ``<stem>_std``, ``<stem>_p5``,
        ``<stem>_p50`` and ``<stem>_p95``.
    """
    numbers = np.asarray(values, dtype=float)
    described = {mean: numbers.mean(), f'{stem}_std': numbers.std()}
    for percentile in PERCENTILES:
        described[f'{stem}_p{percentile}'] = np.percentile(numbers, percentile)
    return {name: float(value) for name, value in described.items()}


def _shares(video: Dict) -> np.ndarray:
    """Returns B'/T of each view and layer, (V, L)."""
    lengths = np.asarray(video['lengths'], dtype=float)
    return lengths.reshape(len(lengths), -1) / np.ravel(video['num_frames'])


def resolution(video: Dict) -> np.ndarray:
    """Returns B'/T of each view of a video, the mean over layers, (V,)."""
    return _shares(video).mean(axis=1)


def all_clips(videos: Sequence[Dict]) -> Tuple[np.ndarray, np.ndarray]:
    """Returns B'/T and GFLOPs of all clips (views) of videos, (N,) each."""
    return (
        np.concatenate([resolution(video) for video in videos]),
        np.concatenate([video['gflops'] for video in videos]),
    )


def summarize(videos: Sequence[Dict]) -> Dict[str, float]:
    """Summarizes the cost of videos.

    Args:
        videos (Sequence[dict]): The videos.

    Returns:
        dict[str, float]: Statistics over all clips (views) of
        ``temporal_resolution``, B'/T, and of ``gflops_per_clip``: the mean
        and, with the suffixes ``_std``, ``_p5``, ``_p50`` and ``_p95``,
        standard deviation and percentiles. With several views per video, the
        same of ``gflops_per_video``, the sum over its views. With one sampling
        layer, also of ``length``, B', with the mean as ``length_mean``, and
        ``length_min`` and ``length_max``; with several,
        ``<layer>/temporal_resolution`` of each. Costs are left out for videos
        without ``gflops``.
    """
    shares = np.concatenate([_shares(video) for video in videos])
    summary: Dict[str, float] = {}
    if shares.shape[1] == 1:
        lengths = np.concatenate([np.ravel(v['lengths']) for v in videos])
        summary.update(
            **describe(lengths, 'length_mean', 'length'),
            length_min=float(lengths.min()),
            length_max=float(lengths.max()),
        )
    else:
        for layer, column in zip(
            videos[0]['sgs_layers'], shares.T, strict=True
        ):
            name = f'{layer}/temporal_resolution'
            summary.update(describe(column, name, name))
    columns = dict(temporal_resolution=shares.mean(axis=1))
    if 'gflops' in videos[0]:
        gflops = [video['gflops'] for video in videos]
        columns['gflops_per_clip'] = np.concatenate(gflops)
        if any(len(views) > 1 for views in gflops):
            columns['gflops_per_video'] = [np.sum(views) for views in gflops]
    for name, values in columns.items():
        summary.update(describe(values, name, name))
    return summary


def headline(summary: Dict[str, float]) -> Dict[str, float]:
    """Selects the values that fit into a line of a log.

    Args:
        summary (dict[str, float]): Result of :func:`summarize`.

    Returns:
        dict[str, float]: The means, the 5th and 95th percentile of
        ``temporal_resolution``, and the standard deviation and the bounds of
        ``length``, or the standard deviation of the ``temporal_resolution`` of
        each layer.
    """
    kept = {
        'length_mean',
        'length_std',
        'length_min',
        'length_max',
        'temporal_resolution',
        'temporal_resolution_p5',
        'temporal_resolution_p95',
        'gflops_per_clip',
        'gflops_per_video',
    }
    return {
        name: value
        for name, value in summary.items()
        if name in kept
        or name.endswith(('/temporal_resolution', '/temporal_resolution_std'))
    }


def rank_classes(
    videos: Sequence[Dict], classes: Sequence[str] = ()
) -> List[Dict]:
    """Ranks classes by the temporal resolution that their videos need.

    Args:
        videos (Sequence[dict]): The videos; a video with several classes
            counts for each.
        classes (Sequence[str]): Names of the classes; those without one are
            numbered. Defaults to none.

    Returns:
        list[dict]: Classes from the lowest mean B'/T to the highest: ``name``,
        ``label``, number of ``videos``, the entries of :func:`summarize`, and
        ``accuracy`` if known.
    """
    by_label: Dict[int, List[Dict]] = {}
    for video in videos:
        for label in video['labels']:
            by_label.setdefault(label, []).append(video)
    ranked = []
    for label, members in by_label.items():
        known = 0 <= label < len(classes)
        row: Dict[str, Any] = dict(
            name=str(classes[label]) if known else f'class {label}',
            label=label,
            videos=len(members),
            **summarize(members),
        )
        if all('correct' in video for video in members):
            row['accuracy'] = float(np.mean([v['correct'] for v in members]))
        ranked.append(row)
    return sorted(
        ranked, key=lambda row: (row['temporal_resolution'], row['label'])
    )


def accuracy_by_resolution(
    videos: Sequence[Dict], num_bins: int = 8
) -> List[Dict]:
    """Computes the accuracy of videos with similar temporal resolution.

    Args:
        videos (Sequence[dict]): The videos, with ``correct``.
        num_bins (int): Number of bins that divide (0, 1]. Defaults to 8.

    Returns:
        list[dict]: For each bin that contains a video, its edges ``low`` and
        ``high``, the number of ``videos``, their ``accuracy``, and the bounds
        ``lower`` and ``upper`` of its 95 % Wilson interval.
    """
    means = np.array([resolution(video).mean() for video in videos])
    correct = np.array([video['correct'] for video in videos], dtype=float)
    # Rounding must not move a mean across the edge on which it lies.
    place = np.ceil(np.round(means * num_bins, 9)).astype(int) - 1
    rows = []
    for index in np.unique(place.clip(0, num_bins - 1)):
        hits = correct[place.clip(0, num_bins - 1) == index]
        count, mean, z = len(hits), hits.mean(), 1.96
        centre = (mean + z**2 / (2 * count)) / (1 + z**2 / count)
        half = (
            z
            * np.sqrt(mean * (1 - mean) / count + z**2 / (4 * count**2))
            / (1 + z**2 / count)
        )
        rows.append(
            dict(
                low=index / num_bins,
                high=(index + 1) / num_bins,
                videos=count,
                accuracy=float(mean),
                # Rounding must not move a bound across the mean.
                lower=float(min(centre - half, mean)),
                upper=float(max(centre + half, mean)),
            )
        )
    return rows
