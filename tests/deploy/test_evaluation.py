"""The test of a deployed recognizer against that of mmengine's runner."""

import pickle

import numpy as np
import pytest
from mmengine.runner import Runner

from mmatfr.deploy import available_engines, evaluate, load_model
from mmatfr.sgs import set_num_bins

NUM_BINS = 1000


def read_results():
    with open('results.pkl', 'rb') as file:
        return pickle.load(file)


def test_equals_the_test_of_the_runner(deployed, video_config):
    recognizer, path = deployed
    cfg = video_config
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
    with pytest.raises(
        ValueError, match='8 frames a clip, but the config has 4'
    ):
        evaluate(model, cfg)
    cfg.model.cls_head.num_classes = 6
    with pytest.raises(ValueError, match='5 classes, but the config has 6'):
        evaluate(model, cfg)
