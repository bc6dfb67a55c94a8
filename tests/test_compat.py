"""Work-arounds for the released upstream wheels."""

import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleLR

from mmatfr import compat

DRN = 'mmaction.models.localizers.drn'


class Stranger:
    """A class that no checkpoint should bring along."""


class Call:
    """Pickled as a call."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def python(code):
    return subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        timeout=120,
    )


def save_and_load(content):
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_models_of_mmaction2_can_be_imported():
    result = python('import mmatfr, mmaction.models as m; print(m.X3D)')
    assert result.returncode == 0, result.stderr
    assert 'mmaction.models.backbones.x3d.X3D' in result.stdout


def test_missing_mmcv_is_named_with_its_remedy():
    result = python('import sys; sys.modules["mmcv"] = None; import mmatfr')
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith('ImportError: mmatfr needs the module `mmcv`')
    assert 'pip install "mmcv-lite==2.1.0"' in last


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A package mmaction without drn, in place of the installed one."""
    localizers = tmp_path / 'mmaction/models/localizers'
    localizers.mkdir(parents=True)
    (tmp_path / 'mmaction/__init__.py').touch()
    for name in ('mmaction', DRN, f'{DRN}.drn'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return localizers


def test_stand_in_for_drn(wheel):
    assert compat.provide_missing_drn()
    stand_in = sys.modules[f'{DRN}.drn'].DRN
    assert sys.modules[DRN].DRN is stand_in
    with pytest.raises(ImportError, match='open-mmlab/mmaction2#2714'):
        stand_in(num_classes=3)
    assert not compat.provide_missing_drn()
    assert sys.modules[f'{DRN}.drn'].DRN is stand_in


def test_drn_of_the_wheel_is_left_alone(wheel):
    (wheel / 'drn').mkdir()
    assert not compat.provide_missing_drn()
    assert DRN not in sys.modules


def test_training_log_is_read():
    log = HistoryBuffer()
    for value in (3.0, 1.0, 2.0):
        log.update(value)
    loaded = save_and_load(dict(log=log))['log']
    assert isinstance(loaded, HistoryBuffer)
    assert [array.tolist() for array in loaded.data] == [[3, 1, 2], [1, 1, 1]]
    assert loaded.statistics('min') == 1 and loaded.statistics('mean') == 2


@pytest.mark.parametrize(
    'kind', [np.bool_, np.int32, np.int64, np.float32, np.float64]
)
def test_numpy_values_are_read(kind):
    array = np.array([[0, 1], [1, 0]], kind)
    loaded = save_and_load(dict(array=array, scalar=kind(1)))
    np.testing.assert_array_equal(loaded['array'], array, strict=True)
    assert type(loaded['scalar']) is kind and loaded['scalar'] == 1


@pytest.mark.parametrize(
    'strategy, other, third',
    [('cos', 'linear', 0.25), ('linear', 'cos', 1 / 3)],
)
def test_state_of_one_cycle_is_read(strategy, other, third):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    options = dict(optimizer=optimizer, eta_max=1.0, total_steps=10)
    state = OneCycleLR(anneal_strategy=strategy, **options).state_dict()
    scheduler = OneCycleLR(anneal_strategy=other, **options)
    scheduler.load_state_dict(save_and_load(state))
    assert scheduler.anneal_func(0.0, 1.0, 1 / 3) == pytest.approx(third)


@pytest.mark.parametrize(
    'content, name',
    [
        (Stranger(), 'Stranger'),
        (Call(subprocess.Popen, 'true'), 'Popen'),
        (Call(os.system, 'true'), 'system'),
        (Call(eval, '1'), 'eval'),
        (
            Call(getattr, HistoryBuffer, 'register_statistics'),
            'register_statistics',
        ),
        (Call(getattr, HistoryBuffer, '__init__'), '__init__'),
        (Call(getattr, np.ndarray, 'tofile'), 'tofile'),
    ],
)
def test_everything_else_is_refused(content, name):
    with pytest.raises(pickle.UnpicklingError, match=name):
        save_and_load(dict(content=content))
