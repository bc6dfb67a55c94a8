"""Lists of data sets, and the check of their videos."""

import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmatfr.datasets.video_dataset import read_list

TOOLS = Path(__file__).parents[2] / 'tools/data'


@pytest.fixture
def run(capfd, monkeypatch):
    """Runs a script in this process, as if it had been called itself."""

    def run(script, *args, cwd):
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
        code = None
        try:
            runpy.run_path(str(TOOLS / script), run_name='__main__')
        except SystemExit as stop:
            code = stop.code
        out, err = capfd.readouterr()
        if isinstance(code, str):  # what Python itself would print
            err, code = err + code, 1
        return SimpleNamespace(returncode=code or 0, stdout=out, stderr=err)

    return run


def assert_error(done, *words):
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith('error: ')
    for word in words:
        assert word in line


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


def test_tells_good_videos_from_bad(run, videos):
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


def test_no_good_video(run, videos):
    done = run(
        'check_videos.py',
        'test.txt',
        'videos',
        '--min-frames',
        99,
        cwd=videos,
    )
    assert_error(done, 'no video', '32 frames, fewer than 99')
    done = run('check_videos.py', 'gone.txt', 'videos', cwd=videos)
    assert_error(done, 'gone.txt', 'does not exist')


def test_minikinetics(run, tmp_path):
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
    assert_error(
        run(script, classes, cwd=tmp_path), 'names 2 classes and not 200'
    )
    classes.write_text('zumba\njuggling\n')
    done = run(script, classes, '--num-classes', 2, cwd=tmp_path)
    assert_error(done, 'no videos of 1 classes', 'juggling')


def test_kinetics600(run, tmp_path):
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
    assert_error(done, 'none of the 2 annotated videos', 'videos_train')
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
    assert_error(run(script, cwd=tmp_path), '2 classes and not 600')
