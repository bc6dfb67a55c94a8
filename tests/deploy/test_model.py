"""Deployed files in every engine."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from tiny_recognizers import NUM_CLASSES, NUM_FRAMES, R18, SIZE, make_config

from mmatfr.deploy import ENGINES, DeployedModel, load_model
from mmatfr.sgs import set_num_bins


@pytest.fixture(scope='module', params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope='module')
def model(deployed, engine):
    return load_model(deployed[1], engine, num_threads=1)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """A video that changes only in its second half."""
    path = str(tmp_path_factory.mktemp('video') / 'video.mp4')
    writer = cv2.VideoWriter(
        path, cv2.VideoWriter_fourcc(*'mp4v'), 25, (64, 48)
    )
    rng = np.random.default_rng(0)
    for i in range(40):
        frame = np.full((48, 64, 3), 90, dtype=np.uint8)
        if i >= 20:
            frame = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        writer.write(frame)
    writer.release()
    return path


def make_frames(seed, num_frames=NUM_FRAMES, size=SIZE):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (num_frames, size, size, 3), dtype=np.uint8)


def test_recognizes_a_video_as_mmaction2_does(deployed, model, video):
    recognizer, _ = deployed
    pipeline = Compose(recognizer.cfg.test_dataloader.dataset.pipeline)
    data = pipeline(
        dict(filename=video, label=-1, start_index=0, modality='RGB')
    )
    with torch.no_grad():
        sample = recognizer.test_step(pseudo_collate([data]))[0]
    result = model(video)
    np.testing.assert_allclose(
        result.scores, sample.pred_score.numpy(), rtol=1e-4, atol=1e-6
    )
    assert result.label == int(sample.pred_score.argmax())
    assert result.class_name == f'name {result.label}'
    assert result.lengths.shape == (2,)
    assert result.groups.shape == (2, NUM_FRAMES)
    assert (result.groups.max(axis=1) + 1 == result.lengths).all()


def test_takes_frames_of_one_view_and_of_several(model):
    views = np.stack([make_frames(0), make_frames(1)])
    one, other = model(views[0]), model(views[1])
    both = model(views)
    np.testing.assert_allclose(
        both.scores, (one.scores + other.scores) / 2, rtol=1e-5
    )
    assert both.lengths.tolist() == [*one.lengths, *other.lengths]


def test_the_number_of_bins_is_a_budget_at_run_time(deployed, model, engine):
    recognizer, path = deployed
    frames = make_frames(2)
    inputs = recognizer.data_preprocessor(
        dict(
            inputs=[torch.from_numpy(frames).permute(3, 0, 1, 2)[None]],
            data_samples=None,
        )
    )['inputs']
    seen = []
    for num_bins in (1, 3, 1000):
        set_num_bins(recognizer, num_bins)
        with torch.no_grad():
            scores = recognizer(inputs, mode='tensor', stage='head')
        result = model(frames, num_bins=num_bins)
        assert result.lengths.tolist() == recognizer.backbone.lengths.tolist()
        np.testing.assert_allclose(
            result.scores, scores.softmax(1)[0].numpy(), rtol=1e-4
        )
        seen.append(result.lengths[0])
    set_num_bins(recognizer, NUM_FRAMES)
    assert seen[0] == 1 and len(set(seen)) > 1
    lower = load_model(path, engine, num_bins=1)
    assert lower(frames).lengths.tolist() == [1]


def test_several_threads_give_what_one_gives(model):
    clips = [make_frames(seed) for seed in range(6)]
    expected = [model(clip) for clip in clips]
    results, errors = {}, []

    def work(worker):
        try:
            for i, clip in enumerate(clips):
                results[worker, i] = model(clip, num_bins=1 + worker)
        except Exception as error:
            errors.append(error)

    own = [model(clips[0], num_bins=1 + worker) for worker in range(4)]
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(results) == 24
    for worker in range(4):
        assert results[worker, 0].lengths == own[worker].lengths
        np.testing.assert_array_equal(
            results[worker, 0].scores, own[worker].scores
        )
    assert model(clips[3]).label == expected[3].label


def test_takes_frames_of_another_size_if_asked(deployed, engine):
    _, path = deployed
    frames = make_frames(3, size=48)
    free = load_model(path, engine, fixed_size=False)
    wide = free(np.concatenate([frames, frames], axis=2))
    assert free(frames).scores.shape == wide.scores.shape == (NUM_CLASSES,)
    if engine == 'openvino':
        with pytest.raises(ValueError, match='fixed_size=False'):
            load_model(path, engine)(frames)


@pytest.mark.parametrize(
    'frames, reason',
    [
        (make_frames(0, num_frames=6), 'takes clips of 8 frames, 2 frames'),
        (make_frames(0).astype(np.float32) / 255, 'uint8.* float32'),
        (np.full((8, SIZE, SIZE, 3), np.nan), 'uint8.* float64'),
        (make_frames(0)[0], r'\(T, H, W, 3\)'),
        (make_frames(0).transpose(3, 0, 1, 2), r'\(3, 8, 32, 32\)'),
    ],
)
def test_says_what_is_wrong_with_frames(model, frames, reason):
    with pytest.raises(ValueError, match=reason):
        model(frames)


def test_says_what_is_wrong_with_a_file(deployed, engine, tmp_path):
    _, path = deployed
    with pytest.raises(FileNotFoundError, match='does not exist'):
        load_model(str(tmp_path / 'none.onnx'), engine)
    broken = tmp_path / 'broken.onnx'
    broken.write_bytes(open(path, 'rb').read()[:1000])
    with pytest.raises(ValueError, match=f'{engine} cannot load'):
        load_model(str(broken), engine)
    import onnx

    foreign = onnx.load(path)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / 'foreign.onnx')
    with pytest.raises(ValueError, match='was not exported by mmatfr'):
        load_model(str(tmp_path / 'foreign.onnx'), engine)
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1])
        for name in 'xy'
    )
    relu = onnx.helper.make_node('Relu', ['x'], ['y'])
    graph = onnx.helper.make_graph([relu], 'relu', [x], [y])
    foreign = onnx.helper.make_model(
        graph, opset_imports=foreign.opset_import, ir_version=9
    )
    onnx.save(foreign, tmp_path / 'foreign.onnx')
    with pytest.raises(ValueError, match='was not exported by mmatfr'):
        load_model(str(tmp_path / 'foreign.onnx'), engine)


def test_says_what_is_wrong_with_options(deployed, engine, monkeypatch):
    _, path = deployed
    with pytest.raises(ValueError, match="engine='tflite' is unknown"):
        load_model(path, 'tflite')
    with pytest.raises(ValueError, match="precision='int4' is unknown"):
        load_model(path, engine, precision='int4')
    for num_bins in (0, [1, 2], 2.5, True):
        with pytest.raises(ValueError, match='num_bins='):
            load_model(path, engine, num_bins=num_bins)
    # As where it is not installed.
    monkeypatch.setattr(ENGINES[engine], 'package', 'no_such_package')
    with pytest.raises(ImportError, match='pip install'):
        load_model(path, engine)


def test_says_what_is_wrong_with_a_video(model, tmp_path):
    with pytest.raises(FileNotFoundError, match='none.mp4'):
        model(str(tmp_path / 'none.mp4'))
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(ValueError, match='cannot read the video'):
        model(str(tmp_path / 'text.mp4'))


def test_names_classes_by_number_without_names(deployed, engine, tmp_path):
    from mmatfr.deploy import export_onnx

    cfg = make_config(R18, sgs=None)
    torch.manual_seed(0)
    from tiny_recognizers import build

    recognizer = build(cfg)
    recognizer.classes = None
    path = str(tmp_path / 'base.onnx')
    export_onnx(recognizer, cfg, path, engines=[engine])
    model = load_model(path, engine)
    with pytest.raises(ValueError, match='num_bins=4 has no effect'):
        model(make_frames(0), num_bins=4)
    result = model(make_frames(0))
    assert result.class_name == f'class {result.label}'
    assert result.lengths is None and result.groups is None


def test_names_classes_by_number_beyond_the_names(model):
    names = [f'name {label}' for label in range(NUM_CLASSES - 1)]
    info = replace(model.info, classes=names)
    fewer = DeployedModel(model.engine, info, model.path)
    found = [fewer.class_name(label) for label in range(NUM_CLASSES)]
    assert found == [*names, f'class {NUM_CLASSES - 1}']
