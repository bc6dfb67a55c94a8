"""The test of a deployed recognizer against that of mmengine's runner."""

import json
import logging
import pickle

import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from script_runs import run_script
from tiny_recognizers import NUM_CLASSES

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


@pytest.fixture
def word_config(video_config, tempo, tmp_path):
    """The same with the data set and the metrics of the configs for GRID."""
    videos = sorted((tempo / 'videos/test').glob('*.mp4'))
    rows = [
        f'{video.name},test,{number % NUM_CLASSES},4,9,{number % 2},10,12\n'
        for number, video in enumerate(videos)
    ]
    (tmp_path / 'words.csv').write_text(
        'video,split,color,color_start,color_end,digit,digit_start,digit_end\n'
        + ''.join(rows)
    )
    cfg = video_config
    dataset = cfg.test_dataloader.dataset
    dataset.update(
        type='WordVideoDataset',
        ann_file=str(tmp_path / 'words.csv'),
        data_prefix=dict(video=str(tempo / 'videos/test')),
        word='color',
        split='test',
    )
    keys = ('frame_inds', 'word', 'sentence', 'task_labels')
    dataset.pipeline[-1].meta_keys = keys
    cfg.test_evaluator = [
        dict(type=name)
        for name in ('AccMetric', 'DensityMetric', 'ConfusionMatrix')
    ]
    return cfg


def test_metrics_of_groups_and_tables(deployed, word_config, tmp_path):
    recognizer, path = deployed
    cfg = word_config
    runner = Runner.from_cfg(cfg)
    runner.model.load_state_dict(recognizer.state_dict())
    set_num_bins(runner.model, NUM_BINS)
    expected = runner.test()
    assert {'density/word', 'confusion_matrix/result'} <= set(expected)

    cfg.test_evaluator.append(dict(type='TaskAccMetric'))
    logged = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    metrics = evaluate(load_model(path, num_bins=NUM_BINS), cfg)
    logger.removeHandler(handler)
    assert any('TaskAccMetric is left out' in text for text in logged)
    for name in ('acc/top1', 'density/word', 'density/sentence_to_rest'):
        assert metrics[name] == pytest.approx(expected[name])
    table = expected['confusion_matrix/result'].tolist()
    assert metrics['confusion_matrix/result'] == table

    cfg.dump(tmp_path / 'words.py')
    done = run_script(
        'tools/deployment/test.py',
        path,
        tmp_path / 'words.py',
        '--num-bins',
        NUM_BINS,
        '--work-dir',
        tmp_path / 'log',
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (log,) = (tmp_path / 'log').rglob('*.json')
    assert json.loads(log.read_text()) == metrics
    assert 'density/word' in done.stdout
    assert 'confusion_matrix' not in done.stdout
