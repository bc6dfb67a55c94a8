"""Exported files give the same results as PyTorch in every engine."""

import copy

import pytest
from mmaction.registry import TRANSFORMS
from tiny_recognizers import (
    NUM_FRAMES,
    R18,
    SIZE,
    SLOWFAST,
    TASKS,
    TSM,
    X3D,
    build,
    make_config,
)

from mmatfr.deploy import ENGINES, export_onnx, load_model
from mmatfr.deploy.evaluation import check_config
from mmatfr.models import fuse

PATH = dict(
    similarity='path', grid=3, embedding='identity', magnitude_grad=False
)


@pytest.mark.parametrize(
    'backbone, fewest, most',
    [
        (dict(X3D, sgs=None), [], []),
        (
            dict(
                X3D,
                sgs=dict(stage=0, border=1, border_groups=True, **PATH),
            ),
            [3],
            [NUM_FRAMES],
        ),
        # With one group a temporal pool has a window longer than the clip.
        (dict(R18, with_pool2=True, sgs=dict(stage=1)), [1], [NUM_FRAMES]),
        (
            dict(
                R18,
                tasks=TASKS,
                readout='frames',
                with_pool2=False,
                sgs=dict(stage=1),
            ),
            [1],
            [NUM_FRAMES],
        ),
        (
            dict(
                SLOWFAST,
                sgs=dict(
                    stage=1,
                    pre_activation=True,
                    similarity='l2',
                    kernel='linear',
                ),
            ),
            [1, 1],
            [NUM_FRAMES // 2, NUM_FRAMES],
        ),
        (
            dict(
                TSM, sgs=dict(stage=1, **dict(PATH, similarity='learned_path'))
            ),
            [1],
            [NUM_FRAMES],
        ),
    ],
    ids=['base', 'x3d', 'resnet3d', 'tasks', 'slowfast', 'tsm'],
)
def test_is_verified_from_one_group_to_all_frames(
    backbone, fewest, most, tmp_path
):
    cfg = make_config(backbone)
    recognizer = build(cfg)
    out = tmp_path / 'model.onnx'
    steps = []
    info = export_onnx(
        recognizer, cfg, str(out), on_step=lambda *step: steps.append(step)
    )
    assert [path.name for path in tmp_path.iterdir()] == ['model.onnx']
    assert list(info.verified) == list(ENGINES)
    for result in info.verified.values():
        assert result['lengths'] == [
            list(range(first, last + 1))
            for first, last in zip(fewest, most, strict=True)
        ]
        assert 0 < result['largest_difference'] < 1e-4
    assert {name for name, _, _ in steps} == {
        'exporting',
        'PyTorch',
        *ENGINES,
    }
    assert info.crop == [SIZE, SIZE] and info.num_frames == NUM_FRAMES


def test_a_clip_may_have_one_frame(tmp_path):
    cfg = make_config(R18, with_pool2=False, sgs=dict(stage=1, **PATH))
    cfg.test_dataloader.dataset.pipeline[1].clip_len = 1
    info = export_onnx(build(cfg), cfg, str(tmp_path / 'model.onnx'))
    assert info.num_frames == 1
    for result in info.verified.values():
        assert result['lengths'] == [[1]]


def test_keeps_no_file_that_differs(tmp_path):
    cfg = make_config(X3D, sgs=dict(stage=1))
    out = tmp_path / 'model.onnx'
    out.write_text('of before')
    recognizer = build(cfg).train()
    recognizer.backbone.layer1.eval()
    modes = [module.training for module in recognizer.modules()]
    with pytest.raises(ValueError, match='differ by .* in onnxruntime'):
        export_onnx(recognizer, cfg, str(out), rtol=0)
    assert [module.training for module in recognizer.modules()] == modes
    assert [path.name for path in tmp_path.iterdir()] == ['model.onnx']
    assert out.read_text() == 'of before'


def test_refuses_another_ending_and_no_engine(tmp_path):
    cfg = make_config(X3D, sgs=dict(stage=1))
    with pytest.raises(ValueError, match='must end in .onnx'):
        export_onnx(build(cfg), cfg, str(tmp_path / 'model.pth'))
    with pytest.raises(ValueError, match='no engine is installed'):
        export_onnx(build(cfg), cfg, str(tmp_path / 'm.onnx'), engines=[])
    assert not list(tmp_path.iterdir())


def test_refuses_another_device(tmp_path):
    cfg = make_config(X3D, sgs=dict(stage=1))
    with pytest.raises(ValueError, match=r"is on 'meta'.*recognizer.cpu\(\)"):
        export_onnx(build(cfg).to('meta'), cfg, str(tmp_path / 'model.onnx'))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize('part', ['recognizer', 'backbone'])
def test_refuses_fused_networks(part, tmp_path):
    cfg = make_config(R18, sgs=dict(stage=1))
    recognizer = build(cfg).eval()
    fuse(recognizer if part == 'recognizer' else recognizer.backbone)
    with pytest.raises(ValueError, match='after mmatfr.models.fuse cannot'):
        export_onnx(recognizer, cfg, str(tmp_path / 'model.onnx'))


def test_file_reads_videos_with_its_pipeline(tempo, tmp_path):
    """Here of classes, and with frames that are not square."""
    cfg = make_config(R18, sgs=dict(stage=1))
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[3:5] = [
        dict(type='Resize', scale=(56, 40), keep_ratio=False),
        dict(type='CenterCrop', crop_size=(48, 32)),
    ]
    expected = copy.deepcopy(cfg)
    for step in pipeline:
        step['type'] = TRANSFORMS.get(step['type'])
    path = str(tmp_path / 'model.onnx')
    info = export_onnx(build(cfg), cfg, path, engines=['openvino'])
    check_config(info, path, cfg)
    check_config(info, path, expected)
    video = str(next((tempo / 'videos/test').glob('*.mp4')))
    model = load_model(path, 'openvino')
    assert model.read_views(video).shape == (2, NUM_FRAMES, 32, 48, 3)
    assert len(model(video).lengths) == 2
