"""The metric, alone and inside mmengine's runner."""

import numpy as np
import pytest

from mmatfr.cost import ClipRecorder, CostModel, summarize
from mmatfr.evaluation import AdaptiveCostMetric

CLIP = (3, 8, 32, 32)


def test_adds_views_and_videos_up():
    metric = AdaptiveCostMetric()
    metric.process(
        {},
        [
            dict(lengths=[2, 4], num_frames=8, gflops=[1.0, 2.0]),
            dict(lengths=[8, 8], num_frames=8, gflops=[4.0, 4.0]),
        ],
    )
    metric.process(
        {}, [dict(lengths=[2, 6], num_frames=16, gflops=[1.0, 3.0])]
    )
    summary = summarize(metric.results)
    metrics = metric.evaluate(size=3)
    assert metrics == {
        f'cost/{name}': summary[name]
        for name in (
            'length_mean',
            'length_std',
            'length_min',
            'length_max',
            'temporal_resolution',
            'temporal_resolution_p5',
            'temporal_resolution_p95',
            'gflops_per_clip',
            'gflops_per_video',
        )
    }
    for name, mean, values in (
        ('length', 'length_mean', [2, 4, 8, 8, 2, 6]),
        (
            'temporal_resolution',
            'temporal_resolution',
            [1 / 4, 1 / 2, 1, 1, 1 / 8, 3 / 8],
        ),
        ('gflops_per_clip', 'gflops_per_clip', [1, 2, 4, 4, 1, 3]),
        ('gflops_per_video', 'gflops_per_video', [3, 8, 4]),
    ):
        expected = {
            mean: np.mean(values),
            f'{name}_std': np.std(values),
            **{f'{name}_p{p}': np.percentile(values, p) for p in (5, 50, 95)},
        }
        for key, value in expected.items():
            assert summary.pop(key) == pytest.approx(value)
    assert summary == dict(length_min=2, length_max=8)


def test_several_layers():
    metric = AdaptiveCostMetric()
    layers = ('slow.sgs', 'fast.sgs')
    metric.process(
        {},
        [
            dict(
                lengths=[[1, 8], [4, 2]],
                num_frames=(4, 8),
                gflops=[1.0, 2.0],
                sgs_layers=layers,
            )
        ],
    )
    summary = summarize(metric.results)
    metrics = metric.evaluate(size=1)
    for layer, shares in zip(layers, ([1 / 4, 1], [1, 1 / 4]), strict=True):
        name = f'cost/{layer}/temporal_resolution'
        assert metrics[name] == pytest.approx(np.mean(shares))
        assert metrics[f'{name}_std'] == pytest.approx(np.std(shares))
    assert metrics['cost/temporal_resolution'] == 0.625
    assert metrics['cost/slow.sgs/temporal_resolution'] == 0.625
    assert summary['fast.sgs/temporal_resolution_p95'] == (
        pytest.approx(0.25 + 0.95 * 0.75)
    )
    assert not any('length' in name for name in summary)


def test_videos_that_fill_up_the_last_batch_do_not_count():
    metric = AdaptiveCostMetric()
    for length in (2, 4, 2):
        video = dict(lengths=[length], num_frames=4, gflops=[length])
        metric.process({}, [video])
    assert metric.evaluate(size=2)['cost/length_mean'] == 3


@pytest.mark.parametrize('num_clips', [1, 2])
@pytest.mark.parametrize('sgs', [None, dict(stage=1)], ids=['x3d', 'atfr'])
def test_of_a_recognizer(build_runner, sgs, num_clips):
    runner = build_runner(
        sgs=sgs,
        num_clips=num_clips,
        hooks=['TemporalResolutionHook'],
        metrics=['AccMetric', 'AdaptiveCostMetric'],
    )
    metrics = runner.val()

    recognizer, hits, lengths = runner.model.eval(), [], []
    for video in runner.val_dataloader.dataset:
        with ClipRecorder(recognizer) as recorder:
            (sample,) = recognizer.val_step(
                dict(
                    inputs=[video['inputs']],
                    data_samples=[video['data_samples']],
                )
            )
            lengths += recorder.pop_records().lengths.tolist()
        hits.append(sample.pred_score.argmax() == sample.gt_label.item())
    assert len(lengths) == 12 * num_clips
    if sgs is None:
        assert set(lengths) == {8}
    else:
        assert len(set(lengths)) > 1
    cost = CostModel(recognizer)
    per_clip = np.mean([cost.gflops(CLIP, length) for length in lengths])
    expected = {
        'acc/top1': np.mean(hits),
        'cost/length_mean': np.mean(lengths),
        'cost/length_std': np.std(lengths),
        'cost/temporal_resolution_p95': np.percentile(lengths, 95) / 8,
        'cost/temporal_resolution': np.mean(lengths) / 8,
        'cost/gflops_per_clip': per_clip,
    }
    if num_clips > 1:
        expected['cost/gflops_per_video'] = num_clips * per_clip
    assert ('cost/gflops_per_video' in metrics) == (num_clips > 1)
    assert {name: metrics[name] for name in expected} == pytest.approx(
        expected
    )


def test_missing_hook_is_named(build_runner):
    runner = build_runner(metrics=['AdaptiveCostMetric'])
    with pytest.raises(ValueError, match='TemporalResolutionHook.*_hooks'):
        runner.val()
