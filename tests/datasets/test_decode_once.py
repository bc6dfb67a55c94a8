"""Videos that are decoded once."""

import os
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import Compose

from mmatfr.atomic_write import WriteError
from mmatfr.datasets import (
    CheckedVideoDataset,
    UnreadableVideoError,
    decode_every_time,
    decode_once,
)
from mmatfr.datasets.video_files import write_video

PIPELINE = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=2, test_mode=True),
    dict(type='DecordDecode'),
]


def keep(root, pipeline=PIPELINE):
    """Returns the pipeline of a config that decodes once."""
    loader = dict(dataset=dict(data_root=str(root), pipeline=pipeline))
    splits = ('train', 'val', 'test')
    cfg = Config({f'{split}_dataloader': loader for split in splits})
    decode_once(cfg)
    assert cfg.train_dataloader == cfg.val_dataloader == cfg.test_dataloader
    return cfg.train_dataloader.dataset.pipeline


def frames_of(seed, count=12):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (count, 4, 4, 3), dtype=np.uint8)
    return small.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / 'a.mp4'
    write_video(path, frames_of(0))
    return path


def read(pipeline, video):
    data = dict(filename=str(video), start_index=0, modality='RGB', label=0)
    return Compose(pipeline)(data)


def test_frames_are_those_of_the_decoder(video, tmp_path):
    kept = keep(tmp_path)
    for expected in (read(PIPELINE, video),) * 2:  # decoded, then kept
        results = read(kept, video)
        for key in ('imgs', 'frame_inds'):
            np.testing.assert_array_equal(results[key], expected[key])
        for key in ('img_shape', 'original_shape', 'total_frames'):
            assert results[key] == expected[key]


def test_a_kept_video_is_not_decoded(video, tmp_path, monkeypatch):
    kept = keep(tmp_path)
    first = read(kept, video)['imgs']
    monkeypatch.setattr('decord.VideoReader', None)
    np.testing.assert_array_equal(read(kept, video)['imgs'], first)


def test_a_changed_video_is_decoded_again(video, tmp_path):
    kept = keep(tmp_path)
    before = read(kept, video)['imgs']
    times = video.stat().st_mtime
    write_video(video, frames_of(1))
    os.utime(video, (times + 1, times + 1))
    after = read(kept, video)['imgs']
    np.testing.assert_array_equal(after, read(PIPELINE, video)['imgs'])
    assert np.any(np.stack(after) != np.stack(before))


def test_videos_of_one_name_are_kept_apart(video, tmp_path):
    other = tmp_path / 'b' / video.name
    other.parent.mkdir()
    write_video(other, frames_of(1))
    kept = keep(tmp_path)
    for path in (video, other) * 2:
        np.testing.assert_array_equal(
            read(kept, path)['imgs'], read(PIPELINE, path)['imgs']
        )


def test_changes_of_a_clip_do_not_reach_the_file(video, tmp_path):
    kept = keep(tmp_path)
    before = np.stack(read(kept, video)['imgs'])
    for image in read(kept, video)['imgs']:
        image[:] = 0
    np.testing.assert_array_equal(read(kept, video)['imgs'], before)


def make_dataset(folder, name, **options):
    """Makes a data set of one video that is decoded once."""
    Path(folder, 'list.txt').write_text(f'{name} 0\n')
    return DATASETS.build(
        dict(
            type=CheckedVideoDataset,
            ann_file='list.txt',
            data_root=str(folder),
            data_prefix=dict(video=''),
            pipeline=keep(folder),
            **options,
        )
    )


def test_an_unreadable_video_leaves_nothing(tmp_path):
    Path(tmp_path, 'broken.mp4').write_bytes(b'not a video')
    dataset = make_dataset(tmp_path, 'broken.mp4', test_mode=True)
    with pytest.raises(UnreadableVideoError, match=r'broken\.mp4'):
        dataset[0]
    assert not [*tmp_path.rglob('*.npy')]


def test_a_folder_that_cannot_be_made_is_not_a_fault_of_the_video(
    video, tmp_path
):
    Path(tmp_path, 'decoded').write_text('not a folder')
    dataset = make_dataset(tmp_path, video.name, on_unreadable='skip')
    with pytest.raises(WriteError, match='decoded.*choose another'):
        dataset[0]


def test_a_target_rate_is_kept(video, tmp_path):
    pipeline = [dict(step) for step in PIPELINE]
    pipeline[1].update(frame_interval=1, target_fps=10)
    expected = read(pipeline, video)
    assert np.ptp(expected['frame_inds']) > 3  # 25 frames per second
    for _ in range(2):
        results = read(keep(tmp_path, pipeline), video)
        np.testing.assert_array_equal(
            results['frame_inds'], expected['frame_inds']
        )


def test_the_extension_may_be_missing(video, tmp_path):
    results = read(keep(tmp_path), video.with_suffix(''))
    np.testing.assert_array_equal(
        results['imgs'], read(PIPELINE, video)['imgs']
    )


def test_the_way_back(tmp_path):
    pipeline = [dict(PIPELINE[0], num_threads=2), *PIPELINE[1:]]
    assert decode_every_time(keep(tmp_path, pipeline)) == pipeline
    assert decode_every_time(PIPELINE) == PIPELINE


@pytest.mark.parametrize(
    ('pipeline', 'error'),
    [
        (PIPELINE[:2], 'DecordInit and DecordDecode, but that of the train'),
        (
            [*PIPELINE[:2], dict(type='DecordDecode', mode='efficient')],
            "mode='efficient'",
        ),
    ],
)
def test_other_pipelines_are_refused(pipeline, error, tmp_path):
    with pytest.raises(ValueError, match=error):
        keep(tmp_path, pipeline)
