"""The generated data set tempo."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import decord
import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.registry import init_default_scope
from script_runs import run_script

import mmatfr  # noqa: F401
from mmatfr.datasets.tempo import (
    CLASSES,
    SPLITS,
    Tempo,
    TempoError,
    VideoFormat,
    get_size,
    plan_clip,
    render_clip,
    write_tempo,
)
from mmatfr.datasets.video_files import VideoError, write_video

VIDEO = VideoFormat()
SMALLEST = Tempo(12, 12, 12)
GENERATE = Path(__file__).parents[2] / 'tools/data/tempo/generate.py'


def decode(path):
    return decord.VideoReader(str(path), num_threads=1)[:].asnumpy()


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp('tempo') / 'one'
    assert list(write_tempo(out, SMALLEST)) == list(range(1, 37))
    return out


def read_csv(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_layout(dataset):
    names = (dataset / 'classes.txt').read_text().split()
    assert tuple(names) == CLASSES and len(names) == 12
    for split in SPLITS:
        rows = read_csv(dataset / f'{split}.csv')
        lines = (dataset / f'{split}.txt').read_text().splitlines()
        assert lines == [f'{r["filename"]} {r["label"]}' for r in rows]
        assert all(names[int(r['label'])] == r['class'] for r in rows)
        assert len({r['label'] for r in rows}) == 12
        videos = (dataset / 'videos' / split).iterdir()
        assert {f'{split}/{v.name}' for v in videos} == {
            r['filename'] for r in rows
        }


def test_decoded_videos_move_during_the_action_alone(dataset):
    for row in read_csv(dataset / 'test.csv'):
        frames = decode(dataset / 'videos' / row['filename']).astype(float)
        assert frames.shape == (32, 64, 64, 3)
        start, length = int(row['start']), int(row['length'])
        assert start + length <= 32
        change = np.abs(np.diff(frames, axis=0))
        # Largest change of an 8x8 block: the object is a small part.
        change = change.reshape(31, 8, 8, 8, 8, 3).mean((2, 4, 5)).max((1, 2))
        inside = np.zeros(31, bool)
        inside[start : start + length - 1] = True
        if not inside.all():
            still = change[~inside]
            # The codec settles for a frame or two after the motion.
            assert np.median(still) < 0.7 * change[inside].mean()


def test_poses_stand_still_outside_the_action():
    for index in range(60):
        clip = plan_clip(3, 'train', index, VIDEO)
        end = clip.start + clip.length - 1
        assert np.ptp(clip.poses[: clip.start + 1], axis=0).max() == 0
        assert np.ptp(clip.poses[end:], axis=0).max() == 0
        # One axis moves, and all of the motion lies inside.
        assert (np.ptp(clip.poses, axis=0) > 0.1).sum() == 1


@pytest.mark.parametrize(
    'label, axis, sign',
    [
        (0, 0, 1),
        (1, 0, -1),
        (2, 1, -1),
        (3, 1, 1),
        (4, 2, 1),
        (5, 2, -1),
        (6, 3, 1),
        (7, 3, -1),
        (8, 3, 1),
        (9, 3, -1),
        (10, 0, 1),
        (11, 0, -1),
    ],
)
def test_direction_of_each_class(label, axis, sign):
    for index in range(label, 120, 12):
        clip = plan_clip(0, 'val', index, VIDEO)
        course = sign * (clip.poses[:, axis] - clip.poses[0, axis])
        assert clip.label == label
        if label < 8:
            assert course[-1] == course.max() > 0.2
        else:
            assert course.argmax() < course.argmin()
            assert course[-1] == pytest.approx(0, abs=1e-9)


def test_lengths_are_log_uniform_and_starts_fill_the_video():
    clips = [plan_clip(0, 'train', i, VIDEO) for i in range(3000)]
    lengths = np.array([c.length for c in clips])
    assert lengths.min() == 4 and lengths.max() == 32
    # As many in every octave; rounding moves a few over the borders.
    low = np.mean(lengths < 8)
    middle = np.mean((lengths >= 8) & (lengths < 16))
    assert abs(low - 1 / 3) < 0.06 and abs(middle - 1 / 3) < 0.06
    room = np.array([(c.start + 0.5) / (33 - c.length) for c in clips])
    assert abs(room.mean() - 0.5) < 0.02


def test_one_pose_tells_nothing_of_the_class():
    """The pose of a random frame has one distribution in all classes."""
    rng = np.random.default_rng(0)
    poses = [[] for _ in CLASSES]
    for index in range(12 * 800):
        clip = plan_clip(1, 'train', index, VIDEO)
        poses[clip.label].append(clip.poses[rng.integers(32)])
    poses = np.array(poses)
    poses[..., 2] %= 2 * np.pi
    everything = np.sort(poses.reshape(-1, 4), axis=0)
    for axis in range(4):
        for group in poses[..., axis]:
            rank = np.searchsorted(everything[:, axis], np.sort(group))
            uniform = (np.arange(800) + 0.5) / 800
            distance = np.abs(rank / len(everything) - uniform).max()
            # Kolmogorov-Smirnov at 1e-4, divided among the 48 tests or so.
            assert distance < 2.5 / np.sqrt(800)


def test_partners_are_time_reversals():
    """The multiset of displacements of a class is that of its partner."""
    spread = [[] for _ in CLASSES]
    for index in range(12 * 400):
        clip = plan_clip(2, 'train', index, VIDEO)
        axis = np.ptp(clip.poses, axis=0).argmax()
        course = clip.poses[:, axis] - clip.poses[:, axis].mean()
        spread[clip.label].append(np.sort(course))
    spread = np.array(spread)
    for label in range(0, 12, 2):
        one, other = spread[label], spread[label + 1]
        error = np.sqrt((one.var(0) + other.var(0)) / 400)
        assert (np.abs(one.mean(0) - other.mean(0)) < 5 * error + 1e-9).all()


def test_frames_depend_on_seed_split_and_index_alone():
    first = render_clip(0, 'train', 5, VIDEO)
    assert first.shape == (32, 64, 64, 3) and first.dtype == np.uint8
    render_clip(0, 'train', 6, VIDEO)
    assert digest(render_clip(0, 'train', 5, VIDEO)) == digest(first)
    others = [(1, 'train', 5), (0, 'val', 5), (0, 'test', 5), (0, 'train', 17)]
    digests = {digest(render_clip(*key, VIDEO)) for key in others}
    assert len(digests | {digest(first)}) == 5


def test_workers_do_not_change_the_files(dataset, tmp_path):
    out = tmp_path / 'two'
    assert list(write_tempo(out, SMALLEST, workers=2))[-1] == 36
    for split in SPLITS:
        for suffix in ('csv', 'txt'):
            name = f'{split}.{suffix}'
            assert (out / name).read_text() == (dataset / name).read_text()
        for path in (dataset / 'videos' / split).iterdir():
            twin = out / 'videos' / split / path.name
            assert digest(decode(path)) == digest(decode(twin))


def test_workers_stop_when_the_caller_does(tmp_path):
    steps = write_tempo(tmp_path / 'set', Tempo(600, 1, 1), workers=2)
    next(steps)
    steps.close()
    written = [*(tmp_path / 'set').rglob('*.mp4')]
    assert 0 < len(written) < 300


def test_workers_that_cannot_start_are_an_error(tmp_path):
    # A program that is read from a pipe cannot be imported by the workers.
    program = f"""
from mmatfr.datasets.tempo import Tempo, write_tempo

for _ in write_tempo({str(tmp_path / 'set')!r}, Tempo(1, 1, 1), workers=2):
    pass
"""
    run = subprocess.run(
        [sys.executable, '-'], input=program, text=True, capture_output=True
    )
    assert run.returncode == 1
    assert 'TempoError: a worker process ended early' in run.stderr


def test_complete_set_is_left_alone_and_interrupted_one_is_finished(tmp_path):
    out = tmp_path / 'set'
    steps = write_tempo(out, SMALLEST)
    next(steps)
    steps.close()
    assert not (out / 'train.txt').exists()
    kept = out / 'videos/train/00000.mp4'
    before = kept.stat().st_mtime_ns
    list(write_tempo(out, SMALLEST))
    assert kept.stat().st_mtime_ns == before
    assert write_tempo(out, SMALLEST) is None
    assert not list(out.rglob('*part*'))


def test_killed_at_any_moment_it_goes_on(tmp_path):
    script = GENERATE.parents[3] / 'tests/killed_runs.py'
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(GENERATE.parents[3])},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[0]) > 12


def test_other_parameters_need_overwrite(tmp_path):
    out = tmp_path / 'set'
    list(write_tempo(out, SMALLEST))
    other = Tempo(12, 12, 12, VideoFormat(32, 40, 8), seed=7)
    with pytest.raises(TempoError, match='"seed": 0.*"seed": 7.*--overwrite'):
        write_tempo(out, other)
    list(write_tempo(out, other, overwrite=True))
    assert json.loads((out / 'tempo.json').read_text())['seed'] == 7
    assert decode(out / 'videos/test/00003.mp4').shape == (8, 32, 40, 3)


def test_foreign_folder_is_not_touched(tmp_path):
    (tmp_path / 'thesis.txt').write_text('mine')
    with pytest.raises(TempoError, match='no tempo.json'):
        write_tempo(tmp_path, SMALLEST, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ['thesis.txt']


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: get_size('huge'), "size 'huge' .* tiny, small, full"),
        (lambda: VideoFormat(frames=3), 'frames 3 .* 8'),
        (lambda: VideoFormat(fps=0), 'fps 0 '),
        (lambda: Tempo(12, 12, 12, seed=-1), 'seed -1 is negative'),
        (lambda: Tempo(0, 12, 12), 'train 0 '),
        (lambda: Tempo(1, 1, 1, codec='h.264'), "codec 'h.264' .*four"),
        (
            lambda: plan_clip(0, 'dev', 0, VIDEO),
            "split 'dev' .* train, val, test",
        ),
    ],
)
def test_error_names_value_and_choices(make, message):
    with pytest.raises(TempoError, match=message):
        make()


@pytest.mark.parametrize(
    'size, message',
    [
        (dict(height=65), 'height 65 .* even'),
        (dict(width=2), 'width 2 .* 16'),
        (dict(width=48), 'width 48 .* other than 16, 24, 48'),
    ],
)
def test_frames_that_cannot_be_read_are_refused(size, message):
    with pytest.raises(VideoError, match=message):
        VideoFormat(**size)


def test_writer_that_does_not_open(tmp_path):
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    with pytest.raises(VideoError, match="codec 'zzzz'"):
        write_video(tmp_path / 'clip.mp4', frames, codec='zzzz')
    with pytest.raises(VideoError, match='folder that can be written'):
        write_video(tmp_path / 'missing' / 'clip.mp4', frames)
    with pytest.raises(VideoError, match="codec 'zzzz'"):
        write_tempo(tmp_path / 'set', Tempo(1, 1, 1, codec='zzzz'))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'argument, code',
    [
        (('--size', 'huge'), 1),
        (('--frame-size', '63', '64'), 1),
        (('--seed', '-1'), 1),
        (('--frames', 'many'), 2),
    ],
)
def test_command_fails_in_one_line(argument, code, tmp_path):
    done = run_script(GENERATE, '--out', tmp_path, *argument)
    assert done.returncode == code
    assert 'Traceback' not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert 'error: ' in last and argument[1] in last
    assert not list(tmp_path.iterdir())


def make_dataset(root, *extra):
    import mmatfr.datasets  # noqa: F401

    init_default_scope('mmaction')
    return DATASETS.build(
        dict(
            type='VideoDataset',
            data_root=str(root),
            data_prefix=dict(video='videos'),
            ann_file='val.txt',
            pipeline=[
                dict(type='DecordInit'),
                dict(type='SampleFrames', clip_len=16, frame_interval=2),
                dict(type='DecordDecode'),
                *extra,
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackActionInputs'),
            ],
        )
    )


def test_pipeline_of_mmaction2(dataset):
    videos = make_dataset(dataset)
    assert len(videos) == 12
    item = videos[5]
    assert item['inputs'].shape == (1, 3, 16, 64, 64)
    assert str(item['inputs'].dtype) == 'torch.uint8'
    assert item['data_samples'].gt_label.item() == 5


def test_shuffle_frames_in_a_pipeline(dataset):
    np.random.seed(0)
    plain = make_dataset(dataset)[0]['inputs'][0].unbind(1)
    mixed = make_dataset(dataset, dict(type='ShuffleFrames'))[0]['inputs'][
        0
    ].unbind(1)

    def count(frames):
        return Counter(digest(f.contiguous().numpy()) for f in frames)

    assert count(plain) == count(mixed)
    assert any((a != b).any() for a, b in zip(plain, mixed, strict=True))


def test_shuffle_frames_stays_within_clips():
    import mmatfr.datasets  # noqa: F401

    shuffle = TRANSFORMS.build(dict(type='ShuffleFrames'))
    imgs = [np.full((1, 1, 3), i) for i in range(12)]
    out = shuffle(dict(imgs=imgs, clip_len=4, num_clips=3))['imgs']
    values = [int(i[0, 0, 0]) for i in out]
    assert values != list(range(12))
    assert [sorted(values[i : i + 4]) for i in (0, 4, 8)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    with pytest.raises(ValueError, match='12 frames, but 2 clips of 4'):
        shuffle(dict(imgs=imgs, clip_len=4, num_clips=2))


def test_opencv_reads_the_files(dataset):
    capture = cv2.VideoCapture(str(dataset / 'videos/train/00001.mp4'))
    assert capture.get(cv2.CAP_PROP_FPS) == 25
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 32
    capture.release()
