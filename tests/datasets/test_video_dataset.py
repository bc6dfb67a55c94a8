"""Errors of the checked data set for its list and its videos."""

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.logging import MMLogger

from mmatfr.datasets import UnreadableVideoError
from mmatfr.datasets.video_dataset import read_list
from mmatfr.datasets.video_files import write_video

LABELS = (0, 1, 2)
BROKEN = 1


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Three videos, one of which is truncated to a third."""
    folder = tmp_path_factory.mktemp('videos')
    rng = np.random.default_rng(0)
    for label in LABELS:
        frames = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
        write_video(folder / f'{label}.mp4', frames)
    broken = folder / f'{BROKEN}.mp4'
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 3])
    (folder / 'list.txt').write_text(
        ''.join(f'{label}.mp4 {label}\n' for label in LABELS)
    )
    return folder


def build(folder, ann_file='list.txt', **options):
    return DATASETS.build(
        dict(
            type='CheckedVideoDataset',
            data_root=str(folder),
            data_prefix=dict(video=''),
            ann_file=ann_file,
            pipeline=[
                dict(type='DecordInit'),
                dict(type='SampleFrames', clip_len=4, frame_interval=2),
                dict(type='DecordDecode'),
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackActionInputs'),
            ],
            **options,
        )
    )


@pytest.mark.parametrize('test_mode', [False, True])
def test_videos_that_can_be_read(videos, test_mode):
    dataset = build(videos, test_mode=test_mode)
    assert len(dataset) == 3
    for index in (0, 2):
        item = dataset[index]
        assert item['inputs'].shape == (1, 3, 4, 32, 32)
        assert item['data_samples'].gt_label.item() == index


def test_several_labels_and_another_delimiter(tmp_path):
    (tmp_path / 'list.txt').write_text('a b.mp4;0;2\nc.mp4;1')
    dataset = build(tmp_path, multi_class=True, num_classes=3, delimiter=';')
    info = [dataset.get_data_info(index) for index in (0, 1)]
    assert info[0]['filename'].endswith('/a b.mp4')
    assert [i['label'].tolist() for i in info] == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize('multi_class', [False, True])
@pytest.mark.parametrize('text', ['a.mp4\nb c.mp4\n', 'a.mp4 -1\nb c.mp4 -1'])
def test_videos_without_labels_are_for_testing(tmp_path, text, multi_class):
    (tmp_path / 'list.txt').write_text(text, encoding='utf-8-sig')
    options = dict(multi_class=multi_class, num_classes=3)
    dataset = build(tmp_path, test_mode=True, **options)
    info = [dataset.get_data_info(index) for index in (0, 1)]
    assert [i['filename'] for i in info] == [
        f'{tmp_path}/a.mp4',
        f'{tmp_path}/b c.mp4',
    ]
    for i in info:
        assert i['label'].sum() == 0 if multi_class else i['label'] == -1
    with pytest.raises(ValueError, match=r'list\.txt:1: expected a video and'):
        build(tmp_path, **options)


@pytest.mark.parametrize(
    'line,delimiter',
    [
        ('a b.mp4  0   2', ' '),
        ('a b.mp4, 0 ,2', ','),
        ('a b.mp4\t\t0 \t2', '\t'),
    ],
)
def test_spaces_around_the_delimiter_are_no_part(tmp_path, line, delimiter):
    path = tmp_path / 'list.txt'
    path.write_text(f'{line}\n')
    assert read_list(str(path), delimiter, multi_class=True) == [
        ('a b.mp4', [0, 2])
    ]
    path.write_text(f'a b.mp4 {delimiter}-1\n')
    assert read_list(str(path), delimiter, test_mode=True) == [('a b.mp4', [])]


def test_some_labels_are_missing(tmp_path):
    (tmp_path / 'list.txt').write_text('a.mp4 0\nb.mp4\n')
    with pytest.raises(ValueError, match=r"list\.txt:2: .* 'b\.mp4'"):
        build(tmp_path, test_mode=True)


def test_reads_what_mmaction2_reads(videos):
    own, base = (
        DATASETS.build(
            dict(
                type=kind,
                ann_file=str(videos / 'list.txt'),
                data_prefix=prefix,
                pipeline=[],
            )
        )
        for prefix in (dict(video='x'),)
        for kind in ('CheckedVideoDataset', 'VideoDataset')
    )
    assert list(map(own.get_data_info, range(3))) == list(
        map(base.get_data_info, range(3))
    )


def test_missing_list(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r'gone\.txt.* does not exist.*ann_file'
    ):
        build(tmp_path, 'gone.txt')


@pytest.mark.parametrize('text', ['', '\n', ' \n\n'])
def test_empty_list(tmp_path, text):
    (tmp_path / 'list.txt').write_text(text)
    with pytest.raises(ValueError, match=r'list\.txt.* has no videos'):
        build(tmp_path)


@pytest.mark.parametrize('multi_class', [False, True])
@pytest.mark.parametrize(
    'line', ['b.mp4', 'b.mp4 one', 'b.mp4 1.0', 'b.mp4 -1', 'b.mp4,1', '']
)
def test_malformed_line(tmp_path, line, multi_class):
    (tmp_path / 'list.txt').write_text(f'a.mp4 0\n{line}\nc.mp4 2\n')
    with pytest.raises(ValueError, match=rf"list\.txt:2: .* but got '{line}'"):
        build(tmp_path, multi_class=multi_class, num_classes=3)


def test_line_of_two_labels(tmp_path):
    (tmp_path / 'list.txt').write_text('a.mp4 0\nb.mp4 1 2\n')
    with pytest.raises(ValueError, match=r"list\.txt:2: .*'b\.mp4 1 2'"):
        build(tmp_path)


def test_unknown_choice(videos):
    with pytest.raises(
        ValueError, match=r"on_unreadable='foo'.*\['raise', 'skip'\]"
    ):
        build(videos, on_unreadable='foo')


@pytest.mark.parametrize(
    'options, remedy',
    [
        (dict(), "set on_unreadable='skip'"),
        (dict(on_unreadable='raise'), "set on_unreadable='skip'"),
        (dict(test_mode=True), 'remove it from the list$'),
        (
            dict(test_mode=True, on_unreadable='skip'),
            'remove it from the list$',
        ),
    ],
)
def test_unreadable_video_stops_with_its_name(videos, options, remedy):
    dataset = build(videos, **options)
    with pytest.raises(
        UnreadableVideoError,
        match=rf"cannot read '{videos}/{BROKEN}\.mp4'.*{remedy}",
    ):
        dataset[BROKEN]


@pytest.mark.parametrize('content', [b'', b'no video', None])
def test_any_kind_of_unreadable_file(tmp_path, content):
    (tmp_path / 'list.txt').write_text('a.mp4 0\n')
    if content is not None:
        (tmp_path / 'a.mp4').write_bytes(content)
    with pytest.raises(UnreadableVideoError, match=r'a\.mp4'):
        build(tmp_path)[0]


def test_unreadable_video_is_replaced_in_training(videos, caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        item = build(videos, on_unreadable='skip')[BROKEN]
    finally:
        logger.removeHandler(caplog.handler)
    assert item['inputs'].shape == (1, 3, 4, 32, 32)
    assert item['data_samples'].gt_label.item() in (0, 2)
    assert f"cannot read '{videos}/{BROKEN}.mp4'" in caplog.text
    assert f'{videos}/0.mp4' not in caplog.text
