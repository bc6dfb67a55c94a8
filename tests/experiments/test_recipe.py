"""What trainings and files were made from."""

import json
import time
from dataclasses import replace
from functools import partial
from threading import Event, Thread

import pytest
from mmengine.config import Config

from mmatfr.experiments.comparison import train
from mmatfr.experiments.grid import GridComparison
from mmatfr.experiments.recipe import (
    check_recipe,
    in_turn,
    make_once,
    record_recipe,
)
from mmatfr.experiments.tempo import TempoComparison
from mmatfr.experiments.tempo_rows import ROWS
from mmatfr.sgs import pool_frames


class WithPool3(TempoComparison):
    rows = {'pool2': replace(ROWS['pool2'], binning=partial(pool_frames, 3))}


class WithLongerBase(TempoComparison):
    def base_config(self, seed):
        cfg = super().base_config(seed)
        cfg.train_cfg.max_epochs = 99
        return cfg


@pytest.mark.parametrize(
    'changed, message',
    [
        (TempoComparison(size='tiny'), 'data.train=2400 instead of 48; rem'),
        (
            WithPool3(),
            r"binning='pool_frames\(size=2\)' instead of 'pool_frames\(3\)'",
        ),
        (WithLongerBase(), 'start.train_cfg.max_epochs=12 instead of 99'),
    ],
)
def test_data_binning_and_base_are_part_of_a_recipe(
    changed, message, tmp_path
):
    record_recipe(tmp_path, TempoComparison().recipe('pool2', 0))
    check_recipe(tmp_path, TempoComparison().recipe('pool2', 0))
    changed = changed.recipe('pool2', 0)
    with pytest.raises(ValueError, match=message):
        check_recipe(tmp_path, changed)
    # A record without these parts fits all of them.
    path = tmp_path / 'recipe.json'
    old = json.loads(path.read_text())
    path.write_text(
        json.dumps({part: old[part] for part in ('model', 'train_cfg')})
    )
    check_recipe(tmp_path, changed)


def test_another_list_of_words_is_other_data(tmp_path):
    comparison = GridComparison(data=str(tmp_path))
    seen = [comparison.train_data]
    for words in 'video,split\n', 'video,split\na.mp4,train\n':
        (tmp_path / 'words.csv').write_text(words)
        assert comparison.train_data == comparison.test_data
        assert comparison.train_data not in seen
        seen.append(comparison.train_data)


def test_a_file_is_made_once_from_one_recipe(tmp_path):
    path = tmp_path / 'new/metrics.json'
    made = []

    def make():
        made.append(1)
        path.write_text(str(len(made)))

    for recipe in ({'a': 1}, {'a': 1}, {'a': 2}, {'a': 2}):
        make_once(path, recipe, make)
    assert path.read_text() == '2'
    with pytest.raises(RuntimeError):
        make_once(path, {'a': 3}, partial(_fail, RuntimeError))
    make_once(path, {'a': 3}, make)
    assert path.read_text() == '3'


def test_what_is_done_needs_no_lock(tmp_path):
    folder = tmp_path / 's0'
    folder.mkdir()
    for name in 'metrics.json', 'epoch_1.pth':
        (folder / name).touch()
    with in_turn(folder), in_turn(folder / 'metrics.json'):
        make_once(folder / 'metrics.json', {}, partial(_fail, AssertionError))
        cfg = Config(dict(work_dir=str(folder), train_cfg=dict(max_epochs=1)))
        weights = train(cfg, {}, partial(_fail, AssertionError))
    assert weights == str(folder / 'epoch_1.pth')


def test_a_file_without_a_record_is_kept(tmp_path):
    path = tmp_path / 'metrics.json'
    path.write_text('mine')
    make_once(path, {'a': 1}, partial(_fail, AssertionError))
    assert path.read_text() == 'mine'


def test_of_several_processes_one_makes_a_file(tmp_path):
    path = tmp_path / 'metrics.json'
    made, begun = [], Event()

    def make():
        begun.set()
        time.sleep(0.2)
        made.append(1)
        path.write_text('done')

    threads = [
        Thread(target=make_once, args=(path, {'a': 1}, make)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    make_once(path, {'a': 1}, make)
    assert path.read_text() == 'done'
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_training_waits_for_another_of_the_same_network(tmp_path):
    cfg = Config(
        dict(work_dir=str(tmp_path / 's0'), train_cfg=dict(max_epochs=1))
    )
    found = []

    def wait():
        found.append(train(cfg, {}, partial(_fail, AssertionError)))

    with in_turn(tmp_path / 's0'):
        other = Thread(target=wait)
        other.start()
        time.sleep(0.2)
        assert not found
        (tmp_path / 's0').mkdir()
        (tmp_path / 's0/epoch_1.pth').touch()
    other.join(60)
    assert found == [str(tmp_path / 's0/epoch_1.pth')]


def _fail(error):
    raise error
