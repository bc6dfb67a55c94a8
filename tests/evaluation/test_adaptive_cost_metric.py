"""The metric, on its own and inside mmengine's runner."""

import numpy as np
import pytest

from mmatfr.analysis import ClipRecorder, CostModel
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
    lengths = [2, 4, 8, 8, 2, 6]
    share = [1 / 4, 1 / 2, 1, 1, 1 / 8, 3 / 8]
    assert metric.evaluate(size=3) == pytest.approx(
        {
            'cost/length_mean': 5,
            'cost/length_std': np.sqrt(np.mean(np.square(lengths)) - 25),
            'cost/length_min': 2,
            'cost/length_max': 8,
            'cost/temporal_resolution': np.mean(share),
            'cost/temporal_resolution_std': np.std(share),
            'cost/gflops_per_clip': 2.5,
            'cost/gflops_per_video': 5,
            'cost/length_p5': 2,
            'cost/length_p50': 5,
            'cost/length_p95': 8,
        }
    )


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
            lengths += recorder.take().lengths.tolist()
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
        'cost/length_p95': np.percentile(lengths, 95),
        'cost/temporal_resolution': np.mean(lengths) / 8,
        'cost/temporal_resolution_std': np.std(lengths) / 8,
        'cost/gflops_per_clip': per_clip,
        'cost/gflops_per_video': num_clips * per_clip,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(
        expected
    )


def test_missing_hook_is_named(build_runner):
    runner = build_runner(metrics=['AdaptiveCostMetric'])
    with pytest.raises(KeyError, match='TemporalResolutionHook.*custom_hooks'):
        runner.val()
