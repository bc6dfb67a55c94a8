"""The metric, alone and inside mmengine's runner."""

import csv

import numpy as np
import pytest
import torch

from mmatfr.evaluation import TempoMetric


@pytest.fixture
def videos(tempo):
    """Name and action length of each test video."""
    with open(tempo / 'test.csv', newline='') as file:
        return [
            (str(tempo / 'videos' / row['filename']), int(row['length']))
            for row in csv.DictReader(file)
        ]


def samples(videos, hit, **lengths):
    return [
        dict(
            filename=name,
            pred_score=torch.tensor([0.2, 0.8]),
            gt_label=torch.tensor([1 if hit(length) else 0]),
            **{key: [value(length)] for key, value in lengths.items()},
        )
        for name, length in videos
    ]


def evaluate(data_samples):
    metric = TempoMetric()
    metric.process({}, data_samples)
    return metric.evaluate(size=len(data_samples))


def test_tells_short_from_long_actions(videos):
    median = np.median([length for _, length in videos])
    metrics = evaluate(
        samples(
            videos,
            hit=lambda length: length > median,
            lengths=lambda length: length // 2,
        )
    )
    assert metrics['tempo/top1_short'] == 0
    assert metrics['tempo/top1_long'] == 1
    assert metrics['tempo/spearman'] > 0.95
    inverse = samples(
        videos, hit=lambda length: True, lengths=lambda length: 40 - length
    )
    assert evaluate(inverse)['tempo/spearman'] == pytest.approx(-1)


def test_scores_of_views_are_averaged(videos):
    """As of a head without average_clips."""
    own = samples(videos, hit=lambda length: True)
    views = torch.tensor([[0.2, 0.8], [0.6, 0.4], [0.1, 0.9]])
    metrics = evaluate([dict(sample, pred_score=views) for sample in own])
    assert metrics['tempo/top1_short'] == metrics['tempo/top1_long'] == 1


def test_short_and_long_are_quarters_with_ties(tmp_path):
    """Of 21 lengths six each, of which one video is recognized."""
    names = [f'test/{length}.mp4' for length in range(1, 22)]
    rows = [f'{name},{length}' for length, name in enumerate(names, 1)]
    (tmp_path / 'test.csv').write_text('\n'.join(['filename,length', *rows]))
    videos = [
        (str(tmp_path / 'videos' / name), length)
        for length, name in enumerate(names, 1)
    ]
    metrics = evaluate(samples(videos, lambda length: length in (6, 16)))
    assert metrics == {
        'tempo/top1_short': pytest.approx(1 / 6),
        'tempo/top1_long': pytest.approx(1 / 6),
    }


def test_a_constant_resolution_has_no_correlation(videos):
    for lengths in (dict(), dict(lengths=lambda length: 8)):
        metrics = evaluate(samples(videos, lambda length: True, **lengths))
        assert metrics == {'tempo/top1_short': 1, 'tempo/top1_long': 1}


def test_what_is_missing_is_named(videos, tmp_path):
    (sample, *_) = samples(videos, lambda length: True)
    other = dict(sample, filename=str(tmp_path / 'videos' / 'a' / 'b.mp4'))
    with pytest.raises(ValueError, match=r"b.mp4' is not listed in .*a.csv"):
        evaluate([other])
    with pytest.raises(ValueError, match=r"'b.mp4' is not listed in '\.csv'"):
        evaluate([dict(sample, filename='b.mp4')])
    for label in ([-1], [0, 1], []):
        with pytest.raises(ValueError, match='needs one label'):
            evaluate([dict(sample, gt_label=torch.tensor(label))])
    with pytest.raises(ValueError, match='needs class scores'):
        evaluate([torch.zeros(3)])
    del sample['filename']
    with pytest.raises(ValueError, match='meta_keys'):
        evaluate([sample])
