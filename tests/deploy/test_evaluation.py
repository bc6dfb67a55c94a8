"""The test of a deployed recognizer against that of mmengine's runner."""

import pickle

import numpy as np
import pytest
from mmengine.runner import Runner
from tiny_recognizers import NUM_CLASSES

from mmatfr.analysis.layers import set_num_bins
from mmatfr.analysis.recognizers import load_config
from mmatfr.deploy import available_engines, evaluate, load_model

NUM_BINS = 1000


@pytest.fixture
def cfg(deployed, tempo, tmp_path, monkeypatch):
    """A config that tests the recognizer on videos."""
    monkeypatch.chdir(tmp_path)
    videos = (tempo / 'test.txt').read_text().splitlines()
    (tmp_path / 'test.txt').write_text(
        '\n'.join(
            f'{video.split()[0]} {number % NUM_CLASSES}'
            for number, video in enumerate(videos)
        )
    )
    cfg = deployed[0].cfg.copy()
    dataset = dict(
        type='CheckedVideoDataset',
        ann_file=str(tmp_path / 'test.txt'),
        data_prefix=dict(video=str(tempo / 'videos')),
        pipeline=cfg.test_dataloader.dataset.pipeline,
        test_mode=True,
    )
    cfg.merge_from_dict(
        dict(
            default_scope='mmaction',
            work_dir='work_dir',
            experiment_name=tmp_path.name,
            log_level='WARNING',
            test_dataloader=dict(
                batch_size=5,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dataset,
            ),
            test_cfg=dict(),
            test_evaluator=[
                dict(type='AccMetric'),
                dict(type='AdaptiveCostMetric'),
                dict(type='DumpResults', out_file_path='results.pkl'),
            ],
            custom_hooks=[dict(type='TemporalResolutionHook')],
        )
    )
    cfg.dump('x3d.py')
    return load_config('x3d.py')


def read_results():
    with open('results.pkl', 'rb') as file:
        return pickle.load(file)


def test_equals_the_test_of_the_runner(deployed, cfg):
    recognizer, path = deployed
    runner = Runner.from_cfg(cfg)
    runner.model.load_state_dict(recognizer.state_dict())
    # As many as tell the frames of these videos apart.
    set_num_bins(runner.model, NUM_BINS)
    expected = runner.test()
    samples = read_results()

    steps = []
    for engine in available_engines():
        model = load_model(path, engine, num_bins=NUM_BINS)
        metrics = evaluate(model, cfg, lambda *step: steps.append(step))
        assert set(expected) - set(metrics) <= {
            name for name in expected if 'gflops' in name or 'time' in name
        }
        for name, value in metrics.items():
            assert value == pytest.approx(expected[name]), name
        assert metrics['cost/length_max'] > metrics['cost/length_min']
        for own, other in zip(read_results(), samples, strict=True):
            np.testing.assert_allclose(
                own['pred_score'], other['pred_score'], rtol=1e-4
            )
            for name in ('pred_label', 'lengths', 'num_frames', 'sgs_layers'):
                assert own[name] == other[name]
    videos = [(done, 12) for done in range(1, 13)]
    assert steps == videos * len(available_engines())

    # The number of views is the test's, what they show is the file's.
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[1].num_clips = 1
    evaluate(model, cfg)
    assert len(read_results()[0]['lengths']) == 1
    pipeline[4].crop_size = 24
    with pytest.raises(ValueError, match="'crop_size': 32.*'crop_size': 24"):
        evaluate(model, cfg)
    pipeline[1].clip_len = 4
    with pytest.raises(ValueError, match='8 frames a clip, the config 4'):
        evaluate(model, cfg)
    cfg.model.cls_head.num_classes = 6
    with pytest.raises(ValueError, match='5 classes, the config 6'):
        evaluate(model, cfg)
