"""What sampling does in a video, as tools/demo.py prints and draws it."""

import re
import shutil
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmatfr.apis import build_recognizer, load_config, read_clips
from mmatfr.cost import CostModel
from mmatfr.demos import video
from mmatfr.deploy import Prediction
from mmatfr.zoo.models import config_path

SLOWFAST = 'slowfast-mini-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
TSM = 'tsm-r18-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
RESNET = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'


@pytest.mark.parametrize(
    'name,backbone,num_frames',
    [
        (SLOWFAST, dict(), (4, 16)),
        (RESNET, dict(conv1_stride_t=2), (8,)),
    ],
)
def test_layers_that_see_fewer_frames_than_the_clip(
    name, backbone, num_frames, tempo, tmp_path, capsys
):
    torch.manual_seed(0)
    cfg = load_config(config_path(name))
    cfg.model.backbone.update(backbone)
    model = build_recognizer(cfg.model)
    model.cfg, model.classes = cfg, None
    out = tmp_path / 'figure.png'
    video.show_recognizer(model, str(tempo / 'videos/test/00000.mp4'), out)
    assert out.is_file() and out.with_suffix('.html').is_file()
    printed = ' '.join(capsys.readouterr().out.split())
    for frames in num_frames:
        assert f'of {frames} frames' in printed
    cost = CostModel(model)
    shape = (3, 16, 56, 56)
    assert cost.num_frames(shape) == num_frames
    full = cost.gflops(shape)
    assert f'of {full:.4g} with all frames kept' in printed


def test_pictures_of_a_deployed_layer_are_at_the_times_of_its_frames(
    tmp_path, monkeypatch
):
    """Seven of 13 frames, which no stride gives."""
    views = np.zeros((1, 13, 8, 8, 3), np.uint8)
    views[0] += np.arange(13, dtype=np.uint8)[:, None, None, None]
    model = Mock(
        return_value=Prediction(
            np.ones(2) / 2, 0, '0', np.array([7]), np.arange(7)[None]
        ),
        info=SimpleNamespace(config='other', num_frames=13),
        read_views=lambda path: views,
        class_name=str,
    )
    drawn = []
    monkeypatch.setattr(video, 'load_model', lambda path, engine: model)
    monkeypatch.setattr(
        video,
        '_save_figure',
        lambda name, out, clips, note: drawn.append(clips),
    )
    video.show_deployed('m.onnx', 'onnxruntime', 'v.mp4', tmp_path / 'f.png')
    (((clip,),),) = drawn
    assert clip.pictures[:, 0, 0, 0].tolist() == [0, 1, 3, 5, 7, 9, 11]


@pytest.mark.parametrize(
    'name, expected',
    [
        (RESNET, True),
        ('data/tempo', True),
        ('tempo-wild/small', True),
        ('r50_temporal-jitter_kinetics400', False),
        ('data/contempo', False),
    ],
)
def test_tempo_is_a_whole_word(name, expected):
    assert video._names_tempo(name) == expected


def test_classes_mean_something_after_temporal_data(tempo, tmp_path, capsys):
    real = tmp_path / 'real.mp4'
    shutil.copy(tempo / 'videos/test/00000.mp4', real)
    cfg = load_config(config_path(RESNET))
    cfg.train_dataloader.dataset.data_root = 'data/temporal_actions'
    cfg.test_evaluator = [dict(type='AccMetric')]
    model = build_recognizer(cfg.model)
    model.cfg, model.classes = cfg, None
    video.show_recognizer(model, str(real), tmp_path / 'figure.png')
    printed = capsys.readouterr().out
    assert 'classes mean nothing' not in printed
    assert re.search(r'class \d', printed)


@pytest.mark.parametrize('average_clips', [None, 'score'])
def test_views_are_averaged_where_the_head_does_not(
    average_clips, tempo, tmp_path, capsys
):
    torch.manual_seed(0)
    cfg = load_config(config_path(TSM))
    cfg.model.cls_head.average_clips = average_clips
    sampler = cfg.test_dataloader.dataset.pipeline[1]
    sampler.update(clip_len=1, num_clips=16, twice_sample=True)
    model = build_recognizer(cfg.model)
    model.cfg, model.classes = cfg, None
    path = str(tempo / 'videos/test/00000.mp4')
    batch = pseudo_collate([read_clips(cfg, path)])
    with torch.no_grad():
        scores = model.test_step(batch)[0].pred_score
    if average_clips is None:
        assert scores.shape == (2, 12)
        scores = scores.mean(0)
    video.show_recognizer(model, path, tmp_path / 'figure.png', topk=1)
    top = f'class {int(scores.argmax())}'
    printed = ' '.join(capsys.readouterr().out.split())
    assert re.search(rf'{top} \W*{scores.max():.3f}', printed)
