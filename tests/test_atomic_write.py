"""Files are written completely or not at all."""

import os
import pickle
import platform
import subprocess
import sys
from contextlib import ExitStack

import pytest

from mmatfr.atomic_write import (
    WriteError,
    atomic_open,
    atomic_path,
    write_bytes,
    write_text,
)


def test_replaces_what_was_there(tmp_path):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')
    path.chmod(0o640)
    with atomic_open(path) as file:
        file.write('ä')
        assert path.read_text() == 'old'
    assert path.read_text(encoding='utf-8') == 'ä'
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ['a.txt']


def test_full_disk_leaves_what_was_there(tmp_path, full_disk):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')
    with (
        full_disk(1000),
        pytest.raises(WriteError, match="a.txt' cannot .*free space") as info,
    ):
        write_bytes(path, bytes(2000))
    assert '\n' not in str(info.value)
    # As it comes back from a worker.
    assert str(pickle.loads(pickle.dumps(info.value))) == str(info.value)
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_error_on_the_way_leaves_what_was_there(tmp_path):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text('new')
        raise RuntimeError
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_two_processes_write_one_file(tmp_path, monkeypatch):
    path = tmp_path / 'a.txt'
    with ExitStack() as second:
        with atomic_path(path) as part:
            part.write_text('first')
            # Any other process that is running.
            monkeypatch.setattr(os, 'getpid', os.getppid)
            other = second.enter_context(atomic_path(path))
            other.write_text('sec')
        assert path.read_text() == 'first'
        other.write_text('second')
    assert path.read_text() == 'second'
    assert os.listdir(tmp_path) == ['a.txt']


def test_remains_of_killed_processes_are_removed(tmp_path):
    done = subprocess.Popen([sys.executable, '-c', ''])
    done.wait()

    def leave(host, process, age=0):
        part = tmp_path / f'.b.c.part-{host}-{process}.txt'
        part.touch()
        time = part.stat().st_mtime - age
        os.utime(part, (time, time))
        return part.name

    here, elsewhere = platform.node(), 'else-where'
    leave(here, done.pid)
    leave(elsewhere, done.pid, age=10**6)
    kept = {leave(here, os.getppid()), leave(elsewhere, done.pid + 1)}
    write_text(tmp_path / 'a.txt', 'new')
    assert {*os.listdir(tmp_path)} == {'a.txt', *kept}


def test_says_where_nothing_can_be_written(tmp_path):
    for path in (tmp_path / 'none' / 'a.txt', __file__ + '/a.txt'):
        with pytest.raises(WriteError, match='choose a folder that exists'):
            write_text(path, 'new')


def test_links_and_devices_stay_what_they_are(tmp_path):
    link = tmp_path / 'link'
    link.symlink_to(tmp_path / 'a.txt')
    write_text(link, 'new')
    assert link.is_symlink() and (tmp_path / 'a.txt').read_text() == 'new'
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_path(pipe) as part:
        assert part == pipe
    write_text(pipe, 'through')
    assert os.read(reader, 100) == b'through' and pipe.is_fifo()
    os.close(reader)
