"""Clips that hold the word that is asked for."""

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.dataset import Compose

from mmatfr.datasets import LimitToWord
from mmatfr.datasets.video_files import write_video

FRAMES = 20
CLIP_LEN = 8
TABLE = """\
video,split,frames,color,color_start,color_end,digit,digit_start,digit_end
a.mp4,train,20,red,9,12,two,13,16
b.mp4,test,20,blue,1,4,one,6,9
c.mp4,test,20,white,16,19,two,19,20
"""


def grey_of(frame):
    """Number of a frame of the videos: they grow brighter."""
    return round((float(frame.mean()) - 20) / 10)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sentences')
    frames = np.empty((FRAMES, 32, 64, 3), np.uint8)
    frames[:] = (20 + 10 * np.arange(FRAMES)).reshape(-1, 1, 1, 1)
    (folder / 'videos').mkdir()
    for name in 'abc':
        write_video(folder / f'videos/{name}.mp4', frames)
    (folder / 'words.csv').write_text(TABLE)
    return folder


def build(folder, test_mode=False, clip_len=CLIP_LEN, **options):
    mode = dict(test_mode=test_mode)
    options = dict(dict(word='color', split='train'), **options)
    return DATASETS.build(
        dict(
            type='WordVideoDataset',
            data_root=str(folder),
            data_prefix=dict(video='videos'),
            ann_file='words.csv',
            test_mode=test_mode,
            pipeline=[
                dict(type='DecordInit'),
                dict(type='LimitToWord', num_frames=clip_len, **mode),
                dict(
                    type='SampleFrames',
                    clip_len=clip_len,
                    keep_tail_frames=True,
                    **mode,
                ),
                dict(type='DecordDecode'),
                dict(type='FormatShape', input_format='NCTHW'),
                dict(
                    type='PackActionInputs',
                    meta_keys=('frame_inds', 'word', 'sentence'),
                ),
            ],
            **options,
        )
    )


def test_labels_and_spans(folder):
    dataset = build(folder, split='test')
    assert dataset.metainfo['classes'] == ['blue', 'red', 'white']
    first, second = map(dataset.get_data_info, range(2))
    assert first['filename'] == str(folder / 'videos/b.mp4')
    assert (first['label'], second['label']) == (0, 2)
    assert (first['word'], first['sentence']) == ((1, 4), (1, 9))
    assert (second['word'], second['sentence']) == ((16, 19), (16, 20))
    digits = build(folder, split='test', word='digit')
    assert digits.metainfo['classes'] == ['one', 'two']
    assert digits.get_data_info(0)['word'] == (6, 9)
    for dataset in (build(folder, split='test'), digits):
        labels = [dataset.get_data_info(i)['task_labels'] for i in range(2)]
        assert labels == [dict(color=0, digit=0), dict(color=2, digit=1)]


def test_training_clips_hold_the_word_at_every_place(folder):
    np.random.seed(0)
    dataset = build(folder)
    starts = set()
    for _ in range(60):
        sample = dataset[0]['data_samples']
        times = sample.frame_inds
        assert times.tolist() == list(range(times[0], times[0] + CLIP_LEN))
        starts.add(int(times[0]))
    # The word has frames 9 to 11 of 20.
    assert starts == set(range(4, 10))


def test_the_frames_are_those_of_the_video(folder):
    item = build(folder)[0]
    clip = item['inputs'][0].numpy().transpose(1, 2, 3, 0)
    times = item['data_samples'].frame_inds.tolist()
    assert [grey_of(frame) for frame in clip] == times


def test_windows_for_testing_are_evenly_spread_and_within_the_video(folder):
    dataset = build(folder, test_mode=True, split='test', windows=3)
    assert len(dataset) == 6
    starts = [
        int(dataset[index]['data_samples'].frame_inds[0]) for index in range(6)
    ]
    # Of b, words 1 to 3, frames 0 to 1 can be the first; of c, 11 and 12.
    assert starts == [0, 0, 1, 11, 11, 12]
    (start,) = {
        int(sample['data_samples'].frame_inds[0])
        for sample in build(folder, test_mode=True, split='train')
    }
    assert start == 6  # in the middle of 4 to 9


def test_videos_without_a_word_are_left_alone():
    given = dict(total_frames=40, start_index=1)
    limit = Compose([dict(type='LimitToWord', num_frames=8)])
    assert limit(dict(given)) == given


def test_clips_longer_than_the_video(folder):
    dataset = build(folder, test_mode=True, clip_len=24)
    times = dataset[0]['data_samples'].frame_inds.tolist()
    assert times == [*range(20), *range(4)]


def test_what_is_wrong_is_named(folder, tmp_path):
    with pytest.raises(ValueError, match=r"no word 'verb'.*'color', 'digit'"):
        build(folder, word='verb')
    with pytest.raises(ValueError, match=r"no split 'val'.*'test', 'train'"):
        build(folder, split='val')
    for windows in (0, 1.5):
        with pytest.raises(ValueError, match=f'windows={windows} must be a'):
            build(folder, windows=windows)
    with pytest.raises(ValueError, match='num_frames=2.5 must be a positive'):
        LimitToWord(num_frames=2.5)
    with pytest.raises(FileNotFoundError, match=r'words\.csv.*ann_file'):
        build(tmp_path)
    with pytest.raises(
        RuntimeError, match=r'2 frames cannot.* of 3; .*num_frames'
    ):
        build(folder, clip_len=2)[0]


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (TABLE.replace('16,19', '16,x'), "invalid literal.*'x'"),
        (TABLE.replace('split', 'part'), "KeyError: 'split'"),
        (TABLE[:-8], 'TypeError'),
        ('', r"no word 'color'; choose one of \[\]"),
    ],
)
def test_a_damaged_table(tmp_path, text, words):
    (tmp_path / 'words.csv').write_text(text)
    with pytest.raises(ValueError, match=rf'words\.csv.*{words}'):
        build(tmp_path)
