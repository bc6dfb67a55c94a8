"""Work-arounds for the released upstream wheels."""

import io
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import PoseCompact
from mmaction.registry import MODELS
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleLR

from mmatfr import engine
from mmatfr.compat import checkpoints, packages
from mmatfr.engine import hooks

DRN = 'mmaction.models.localizers.drn'


class Stranger:
    """A class that a checkpoint must not contain."""


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
        timeout=600,
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


def test_no_warning_of_one_wheel_about_another():
    result = python(
        'import mmatfr, mmaction.apis, mmengine\n'
        "assert mmengine.utils.is_installed('torch')\n"
        "mmengine.FileClient('disk')\n"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == result.stderr == ''


def test_missing_mmcv_is_named_with_its_remedy():
    result = python('import sys; sys.modules["mmcv"] = None; import mmatfr')
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith('ImportError: mmatfr needs the module `mmcv`')
    assert 'pip install "mmcv-lite==2.1.0"' in last


def test_layers_need_torch_alone():
    code = """
import sys
for name in ('mmaction', 'mmengine', 'mmcv'):
    sys.modules[name] = None
import torch
from mmatfr.ragged import pack
from mmatfr.sgs import SGS
import mmatfr.deploy
print(SGS(4)(torch.rand(2, 4, 5, 3, 3))[1].shape)
from mmatfr import create_model
"""
    result = python(code)
    assert result.returncode == 1
    assert result.stdout == 'torch.Size([2])\n'
    last = result.stderr.splitlines()[-1]
    assert last.startswith('ImportError: mmatfr.create_model needs mmaction2')
    assert 'pip install "mmaction2' in last


@pytest.mark.parametrize(
    'options',
    [
        dict(type='X3D'),
        dict(type='X3DRounded'),
        dict(type='ResNet3dSlowOnly', depth=18, pretrained=None),
        dict(type='ResNetTSM', depth=18),
        dict(type='MobileNetV2TSM', widen_factor=0.25),
    ],
)
def test_mode_of_a_backbone_is_set_in_a_chain(options):
    backbone = MODELS.build(options)
    assert backbone.eval() is backbone and not backbone.training
    assert backbone.train() is backbone and backbone.training


def test_hooks_are_exported():
    defined = vars(hooks)
    for name in hooks.__all__:
        assert getattr(engine, name) is defined[name]


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
    assert packages.provide_missing_drn()
    stand_in = sys.modules[f'{DRN}.drn'].DRN
    assert sys.modules[DRN].DRN is stand_in
    with pytest.raises(ImportError, match='open-mmlab/mmaction2#2714'):
        stand_in(num_classes=3)
    assert not packages.provide_missing_drn()
    assert sys.modules[f'{DRN}.drn'].DRN is stand_in


def test_drn_of_the_wheel_is_left_alone(wheel):
    (wheel / 'drn').mkdir()
    assert not packages.provide_missing_drn()
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


TRAINING = """
import resource, signal, sys
import mmatfr, torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

class Linear(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(100_000))
    def forward(self, inputs, mode='tensor'):
        return dict(loss=(inputs.mean() * self.weight).mean())

class LittleSpace(Hook):
    def before_train_epoch(self, runner):
        if runner.epoch == 1 and SPACE:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (SPACE, hard))

def train(work_dir, name, space, resume=False):
    global SPACE
    SPACE = space
    Runner(
        Linear(), work_dir=work_dir, experiment_name=name, resume=resume,
        train_dataloader=dict(
            batch_size=1, num_workers=0, dataset=[torch.ones(2)],
            sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=dict(
            type='CheckpointHook', interval=1, max_keep_ckpts=1)),
        custom_hooks=[LittleSpace()], log_level='ERROR').train()

"""
FULL_THEN_KILLED = """
folder, half_a_checkpoint = sys.argv[1], 200_000
try:
    train(folder, 'full', half_a_checkpoint)
except mmatfr.atomic_write.WriteError as error:
    print(error)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
# From now on the kernel kills who writes too much.
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
train(folder, 'killed', half_a_checkpoint, resume=True)
"""


def test_full_disk_and_kill_leave_the_last_checkpoint(tmp_path):
    code = TRAINING + FULL_THEN_KILLED
    killed = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert killed.returncode == -signal.SIGXFSZ, killed.stderr
    # Before that the disk was full, which is said in one line.
    path = tmp_path / 'epoch_2.pth'
    said = f'{str(path)!r} cannot be written (File too large); free space'
    assert any(line.startswith(said) for line in killed.stdout.splitlines())
    assert [p.name for p in tmp_path.glob('epoch*')] == ['epoch_1.pth']
    last = (tmp_path / 'last_checkpoint').read_text()
    assert last == str(tmp_path / 'epoch_1.pth')
    assert torch.load(last)['meta']['epoch'] == 1
    # The same training goes on, and then removes what is outdated.
    names = {}
    exec(TRAINING, names)
    names['train'](str(tmp_path), tmp_path.name, space=None, resume=True)
    assert [p.name for p in tmp_path.glob('*.pth')] == ['epoch_2.pth']
    assert torch.load(path)['meta']['epoch'] == 2


def test_new_checkpoint_under_the_name_of_the_old_one_stays(tmp_path):
    from mmengine.hooks import CheckpointHook

    class Backend:
        def isfile(self, path):
            return os.path.isfile(path)

        def remove(self, path):
            os.remove(path)

    hook = CheckpointHook()
    hook.file_backend, hook.last_ckpt = Backend(), str(tmp_path / 'new')
    for name in ('old', 'new'):
        (tmp_path / name).touch()

    def save(self):
        for name in ('old', 'new'):
            self.file_backend.remove(str(tmp_path / name))
        assert len(list(tmp_path.iterdir())) == 2

    checkpoints._remove_last(save)(hook)
    assert [path.name for path in tmp_path.iterdir()] == ['new']
    assert isinstance(hook.file_backend, Backend)


def test_poses_run_under_numpy_2():
    compact = PoseCompact(hw_ratio=1.0)
    keypoint = np.array([[[[10, 20], [40, 30]]]], np.float32)
    results = compact(dict(img_shape=(64, 64), keypoint=keypoint))
    assert results['img_shape'] == (37, 37)


def test_weights_of_another_model_are_not_tested(build_runner, tmp_path):
    path = str(tmp_path / 'other.pth')
    base = build_runner().model.state_dict()
    head = {k: v for k, v in base.items() if not k.startswith('backbone.')}
    for weights, words in (({}, 'missing there'), (head, 'backbone.conv1')):
        torch.save(dict(state_dict=weights), path)
        runner = build_runner(sgs=dict(), metrics=['AccMetric'])
        runner._load_from = path
        with pytest.raises(ValueError, match=words):
            runner.test()
    # That of the base is tested, and a training may start from any.
    torch.save(dict(state_dict=base), path)
    runner = build_runner(sgs=dict(), metrics=['AccMetric'])
    runner._load_from = path
    assert 'acc/top1' in runner.test()
    torch.save(dict(state_dict=head), path)
    build_runner(sgs=dict()).load_checkpoint(path)
