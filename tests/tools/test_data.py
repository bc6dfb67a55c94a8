"""Lists of data sets, and the check of their videos."""

import csv
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from script_runs import assert_one_line, run_script

from mmatfr.datasets.grid import choose_split
from mmatfr.datasets.tempo import SIZES, Tempo
from mmatfr.datasets.video_dataset import read_list

TOOLS = Path(__file__).parents[2] / 'tools/data'


def run(script, *args, cwd):
    return run_script(f'tools/data/{script}', *args, cwd=cwd)


@pytest.fixture
def videos(tempo, tmp_path):
    """Three good videos and four bad ones."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    sources = sorted((tempo / 'videos/test').glob('*.mp4'))[:3]
    for source in sources:
        (folder / source.name).write_bytes(source.read_bytes())
    content = sources[0].read_bytes()
    (folder / 'cut.mp4').write_bytes(content[: len(content) // 2])
    (folder / 'garbage.mp4').write_bytes(b'no video' * 100)
    (folder / 'empty.mp4').touch()
    names = [p.name for p in sources] + [
        'cut.mp4',
        'garbage.mp4',
        'empty.mp4',
        'gone.mp4',
    ]
    (tmp_path / 'test.txt').write_text(
        ''.join(f'{name} {label}\n' for label, name in enumerate(names))
    )
    return tmp_path


def test_tells_good_videos_from_bad(videos):
    done = run(
        'check_videos.py', 'test.txt', 'videos', '--workers', 2, cwd=videos
    )
    assert done.returncode == 0, done.stderr
    assert '3 good: test_good.txt' in done.stdout
    lines = (videos / 'test.txt').read_text().splitlines()
    assert (videos / 'test_good.txt').read_text().splitlines() == lines[:3]
    bad = (videos / 'test_bad.txt').read_text().splitlines()
    assert [os.path.basename(line.split(':')[0]) for line in bad] == [
        line.split()[0] for line in lines[3:]
    ]
    assert 'gone.mp4: does not exist' in bad[-1]


def test_no_good_video(videos):
    done = run(
        'check_videos.py',
        'test.txt',
        'videos',
        '--min-frames',
        99,
        cwd=videos,
    )
    assert_one_line(done, 'no video', '32 frames, fewer than 99')
    done = run('check_videos.py', 'gone.txt', 'videos', cwd=videos)
    assert_one_line(done, 'gone.txt', 'does not exist')


def test_every_good_line_is_kept(videos):
    """Names with spaces, a byte order mark, oversampling, two labels."""
    folder = videos / 'videos/my videos'
    folder.mkdir()
    (folder / 'a b.mp4').write_bytes(
        (videos / 'videos/00000.mp4').read_bytes()
    )
    lines = ['00000.mp4{}0', 'my videos/a b.mp4{}1', '00000.mp4{}0']
    for delimiter in (' ', ','):
        good = [line.format(delimiter) for line in lines]
        text = '\n'.join([*good, f'00001.mp4{delimiter}1'] * 2)
        (videos / 'test.txt').write_text(
            text.replace(f'01.mp4{delimiter}1', f'01.mp4{delimiter}2', 1),
            encoding='utf-8-sig',
        )
        done = run(
            'check_videos.py',
            *('test.txt', 'videos', '--workers', 1, '--delimiter', delimiter),
            cwd=videos,
        )
        assert done.returncode == 0, done.stderr
        written = (videos / 'test_good.txt').read_text().splitlines()
        assert written == [
            *good,
            f'00001.mp4{delimiter}2',
            *good,
            f'00001.mp4{delimiter}1',
        ]
        assert '5 lines repeat a video, 1 videos have' in done.stdout
        assert (
            "'videos/00001.mp4' has label 2 in line 4, label 1 in line 8"
            in done.stderr
        )


def test_list_that_is_not_utf8(videos):
    (videos / 'test.txt').write_text('\xe4.mp4 0\n', encoding='latin-1')
    done = run('check_videos.py', 'test.txt', 'videos', cwd=videos)
    assert_one_line(
        done, "'test.txt' is not UTF-8 (byte 0xe4); save it as UTF-8"
    )


def test_minikinetics(tmp_path):
    source = tmp_path / 'data/kinetics400'
    source.mkdir(parents=True)
    for split in ('train', 'val'):
        (source / f'kinetics400_{split}_list_videos.txt').write_text(
            'zumba/aaaaaaaaaaa_000001_000011.mp4 399\n'
            'abseiling/bbbbbbbbbbb_000001_000011.mp4 0\n'
            'riding_a_bike/ccccccccccc_000001_000011.mp4 260\n'
            'riding_a_bike/ddddddddddd_000001_000011.mp4 260\n'
        )
    classes = tmp_path / 'classes.txt'
    classes.write_text('Zumba\n"riding a bike"\n')
    script = 'minikinetics/make_lists.py'
    done = run(script, classes, '--num-classes', 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = tmp_path / 'data/minikinetics/minikinetics_train_list_videos.txt'
    assert [label for _, (label,) in read_list(str(made))] == [1, 0, 0]
    ids = tmp_path / 'ids.txt'
    ids.write_text('ddddddddddd\n')
    done = run(script, classes, '--num-classes', 2, '--ids', ids, cwd=tmp_path)
    assert read_list(str(made)) == [
        ('riding_a_bike/ddddddddddd_000001_000011.mp4', [0])
    ]
    assert_one_line(
        run(script, classes, cwd=tmp_path), 'has 2 classes instead of 200'
    )
    classes.write_text('zumba\njuggling\n')
    done = run(script, classes, '--num-classes', 2, cwd=tmp_path)
    assert_one_line(done, 'no videos of 1 classes', 'juggling')


def test_kinetics600(tmp_path):
    data = tmp_path / 'data/kinetics600'
    (data / 'annotations').mkdir(parents=True)
    for split in ('train', 'val'):
        (data / f'annotations/kinetics_{split}.csv').write_text(
            'label,youtube_id,time_start,time_end,split\n'
            f'zumba,aaaaaaaaaaa,1,11,{split}\n'
            f'abseiling,bbbbbbbbbbb,20,30,{split}\n'
        )
    script = 'kinetics600/make_lists.py'
    done = run(script, '--num-classes', 2, cwd=tmp_path)
    assert_one_line(done, 'none of the 2 annotated videos', 'videos_train')
    for split in ('train', 'val'):
        video = data / f'videos_{split}/zumba/aaaaaaaaaaa_000001_000011.mp4'
        video.parent.mkdir(parents=True)
        video.touch()
    done = run(script, '--num-classes', 2, cwd=tmp_path)
    assert done.returncode == 0 and '1 are missing' in done.stdout
    made = data / 'kinetics600_val_list_videos.txt'
    assert read_list(str(made)) == [
        ('zumba/aaaaaaaaaaa_000001_000011.mp4', [1])
    ]
    assert_one_line(run(script, cwd=tmp_path), '2 classes instead of 600')


SENTENCES = {
    'bbaf2n': 'bin blue at f two now',
    'bbaf3s': 'bin blue at f three soon',
    'lrwz9a': 'lay red with z nine again',
    'sgip4p': 'set green in p four please',
}


def write_grid(folder):
    """Writes videos of 360x288 and alignments in the format of the corpus."""
    (folder / 's1').mkdir()
    (folder / 'align').mkdir()
    frames = np.zeros((75, 288, 360, 3), np.uint8)
    frames[:, 180:250, 80:220] = 200
    for name, sentence in SENTENCES.items():
        writer = cv2.VideoWriter(
            str(folder / 's1' / f'{name}.mpg'),
            cv2.VideoWriter_fourcc(*'PIM1'),
            25,
            (360, 288),
        )
        assert writer.isOpened()
        for frame in frames:
            writer.write(frame)
        writer.release()
        lines = ['0 10250 sil']
        for place, word in enumerate(sentence.split()):
            start = 10250 + 6000 * place
            lines.append(f'{start} {start + 6000} {word}')
        lines += ['46250 47000 sp', '47000 74500 sil']
        path = folder / 'align' / f'{name}.align'
        path.write_text('\n'.join(lines) + '\n')


def prepare_grid(folder, *args):
    script = 'grid/prepare.py'
    return run(script, 's1', 'align', '--out', 'grid', *args, cwd=folder)


def test_grid_crops_the_mouth_and_lists_the_words(tmp_path):
    write_grid(tmp_path)
    (tmp_path / 'align/lrwz9a.align').unlink()
    done = prepare_grid(tmp_path)
    assert done.returncode == 0, done.stderr
    assert '3 videos, 1 have no alignment' in done.stdout
    out = tmp_path / 'grid'
    with open(out / 'words.csv', newline='') as file:
        rows = {row['video']: row for row in csv.DictReader(file)}
    assert list(rows) == ['bbaf2n.mp4', 'bbaf3s.mp4', 'sgip4p.mp4']
    row = rows['sgip4p.mp4']
    assert row['frames'] == '75'
    words = [row[k] for k in ('command', 'color', 'preposition', 'letter')]
    assert words == ['set', 'green', 'in', 'p']
    assert (row['command_start'], row['command_end']) == ('10', '16')
    assert (row['adverb'], row['adverb_end']) == ('please', '46')
    # The same first four words are in the same split.
    assert rows['bbaf2n.mp4']['split'] == rows['bbaf3s.mp4']['split']
    listed = {}
    for split in ('train', 'val', 'test'):
        for line in (out / f'color_{split}.txt').read_text().splitlines():
            name, label = line.split()
            listed[name] = label
            assert rows[name]['split'] == split
    assert listed == {
        'bbaf2n.mp4': '0',
        'bbaf3s.mp4': '0',
        'sgip4p.mp4': '1',
    }
    assert (out / 'color_classes.txt').read_text() == 'blue\ngreen\n'
    capture = cv2.VideoCapture(str(out / 'videos/bbaf2n.mp4'))
    _, frame = capture.read()
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 75
    assert frame.shape == (64, 128, 3)
    assert frame.min() > 150  # the mouth and nothing around it
    assert not list(out.rglob('*.part*'))


def test_splits_of_grid_are_of_the_sizes_that_the_page_names():
    names = [
        f'{a}{b}{c}{d}'
        for a in 'blps'
        for b in 'bgrw'
        for c in 'abiw'
        for d in 'abcdefghijklmnopqrstuvxyz'
    ]
    splits = [choose_split(name) for name in names]
    for split, share in (('train', 0.7), ('val', 0.1), ('test', 0.2)):
        assert splits.count(split) / len(splits) == pytest.approx(
            share, abs=0.03
        )


@pytest.mark.parametrize('size', [(64, 48), (63, 128), (64, 8)])
def test_grid_refuses_sizes_that_cannot_be_read(tmp_path, size):
    write_grid(tmp_path)
    done = prepare_grid(tmp_path, '--size', *size)
    wrong = 'height 63' if size[0] % 2 else f'width {size[1]}'
    assert_one_line(done, f'{wrong} is not possible')
    assert not (tmp_path / 'grid').exists()


def test_grid_says_what_is_wrong(tmp_path):
    assert_one_line(prepare_grid(tmp_path), "'s1' has no videos NAME.mpg")
    write_grid(tmp_path)
    done = prepare_grid(tmp_path, '--crop', '180', '300', '80', '220')
    assert_one_line(done, '288 rows and 360 columns', '--crop 180 300 80 220')
    path = tmp_path / 'align/bbaf2n.align'
    path.write_text('0 1000 bin\n')
    assert_one_line(
        prepare_grid(tmp_path), 'bbaf2n.align', '1 words instead of 6'
    )
    path.write_text('bin blue\n')
    assert_one_line(prepare_grid(tmp_path), 'bbaf2n.align', "'bin blue'")
    (tmp_path / 's1/bbaf2n.mpg').write_bytes(b'no video')
    path.unlink()
    for name in SENTENCES:
        (tmp_path / f'align/{name}.align').unlink(missing_ok=True)
    assert_one_line(prepare_grid(tmp_path), 'no alignment NAME.align')


def check_shortcuts(folder, *args):
    return run(
        'tempo/check_shortcuts.py',
        *('--data', folder / 'tempo', '--work-dir', folder / 'work'),
        *('--world', 'camera', '--views', 'single'),
        *args,
        cwd=folder,
    )


def test_shortcuts_are_checked_on_the_given_data_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(SIZES, 'small', Tempo(12, 2, 4))
    done = check_shortcuts(tmp_path, '--epochs', 1)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / 'work/shortcuts.json').read_text())
    (row,) = report['rows']
    assert row['view'] == 'single' and 0 <= row['top1'] <= 1
    assert 'check_shortcuts.py --data' in report['run']['command']
    assert 'camera: 12 classes, chance 8.3 %' in done.stdout
    # Also the classes and the videos for validation.
    (config,) = (tmp_path / 'work').rglob('resnet3d-*.py')
    cfg = Config.fromfile(config)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.data_root == str(tmp_path / 'tempo')
        classes = Path(dataset.metainfo.classes)
        assert classes == tmp_path / 'tempo/classes.txt'


def test_one_line_says_why_shortcuts_are_not_checked(tmp_path):
    (tmp_path / 'tempo').mkdir()
    (tmp_path / 'tempo/thesis.txt').touch()
    assert_one_line(check_shortcuts(tmp_path), 'no tempo.json')
    done = check_shortcuts(tmp_path, '--epochs', 0)
    assert done.returncode == 2
    assert '--epochs 0 must be at least 1' in done.stderr
