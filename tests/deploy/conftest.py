"""A tiny recognizer and the file it was exported to."""

import pytest
from tiny_recognizers import NUM_CLASSES, X3D, build, make_config

from mmatfr.apis import load_config
from mmatfr.deploy import export_onnx


@pytest.fixture(scope='session')
def deployed(tmp_path_factory):
    """A recognizer and the file it was exported to."""
    cfg = make_config(X3D, sgs=dict(stage=1))
    recognizer = build(cfg)
    path = tmp_path_factory.mktemp('deploy') / 'x3d.onnx'
    export_onnx(recognizer, cfg, str(path))
    return recognizer, str(path)


@pytest.fixture
def video_config(deployed, tempo, tmp_path, monkeypatch):
    """The config of the recognizer, with videos to test on."""
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
