import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.runner import load_checkpoint

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/model_converters/pyslowfast_to_mmaction2.py'
CONFIG = """
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ATFRResNet3d', depth=50, stage_blocks=(2, 2, 2, 2),
        base_channels=4, conv1_kernel=(5, 7, 7), inflate=(1, 0, 0, 1),
        with_pool2=False, sgs=dict()),
    cls_head=dict(type='I3DHead', num_classes={}, in_channels=128))
"""


@pytest.fixture
def main(monkeypatch):
    """Runs the command in the process of the tests."""
    monkeypatch.syspath_prepend(TOOL.parent)

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
        runpy.run_path(str(TOOL), run_name='__main__')

    return run


@pytest.fixture
def weights():
    arrays = np.load(ROOT / 'tests/data/resnet3d_reference.npz')
    return {
        key[2:]: torch.tensor(value)
        for key, value in arrays.items()
        if key.startswith('w.')
    }


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(5))
    return path


def error_of(main, capsys, *args):
    with pytest.raises(SystemExit) as stop:
        main(*args)
    message = stop.value.code  # a string: printed, and exit code 1
    assert message.startswith('error: ') and '\n' not in message
    assert not capsys.readouterr().out.count('written')
    return message


def test_converted_checkpoint_loads(tmp_path, weights, config):
    """As a command, on a checkpoint as PySlowFast writes it."""
    source, out = tmp_path / 'theirs.pyth', tmp_path / 'ours.pth'
    torch.save(dict(epoch=1, model_state=weights, cfg='MODEL: {}'), source)
    run = subprocess.run(
        [sys.executable, TOOL, source, out, '--config', config],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        'missing: 0',
        f'{len(weights)} weights written to {out}',
    ]

    scope = {}
    exec(config.read_text(), scope)
    model = MODELS.build(scope['model'])
    load_checkpoint(model, str(out), strict=True)
    assert model.backbone.conv1.conv.weight.equal(
        weights['s1.pathway0_stem.conv.weight']
    )


@pytest.mark.parametrize('container', ['model_state', 'state_dict', None])
def test_missing_weights_are_listed(
    main, tmp_path, weights, config, capsys, container
):
    plain = {k: v for k, v in weights.items() if '.ts_layer.' not in k}
    source, out = tmp_path / 'theirs.pyth', tmp_path / 'ours.pth'
    torch.save({container: plain} if container else plain, source)
    main(source, out, '--config', config)
    first, *missing, last = capsys.readouterr().out.splitlines()
    assert first == 'missing: 9' and str(out) in last
    assert '  backbone.sgs.fc1.weight (8, 16)' in missing
    assert all(name.startswith('  backbone.sgs.') for name in missing)
    converted = torch.load(out, weights_only=True)['state_dict']
    assert len(converted) == len(plain)


def test_weights_that_do_not_fit_the_config(main, tmp_path, weights, capsys):
    source, out = tmp_path / 'theirs.pyth', tmp_path / 'ours.pth'
    torch.save(weights, source)
    config = tmp_path / 'other.py'
    config.write_text(CONFIG.format(7))
    message = error_of(main, capsys, source, out, '--config', config)
    assert 'fc_cls.weight is (5, 128) there and (7, 128) here' in message
    config.write_text('data = dict()')
    assert 'has no model' in error_of(
        main, capsys, source, out, '--config', config
    )
    assert 'nowhere.py' in error_of(
        main, capsys, source, out, '--config', tmp_path / 'nowhere.py'
    )
    assert not out.exists()


def test_bad_checkpoints(main, tmp_path, weights, capsys):
    source, out = tmp_path / 'theirs.pyth', tmp_path / 'ours.pth'

    def error(content):
        torch.save(content, source)
        return error_of(main, capsys, source, out)

    assert 'head.foo.weight' in error(
        dict(weights, **{'head.foo.weight': torch.rand(2)})
    )
    assert 'has no weights' in error(dict(epoch=3))
    assert 'not a checkpoint' in error(torch.rand(3))
    # An object that unpickling would have to import is not read.
    assert 'weights_only=True' in error(
        dict(model_state=weights, note=re.compile('a'))
    )
    for content in (b'', b'no checkpoint\n', b'PK\x03\x04 cut short'):
        source.write_bytes(content)
        assert str(source) in error_of(main, capsys, source, out)
    assert 'nowhere.pyth' in error_of(
        main, capsys, tmp_path / 'nowhere.pyth', out
    )
    torch.save(weights, source)
    assert 'nowhere' in error_of(
        main, capsys, source, tmp_path / 'nowhere' / 'ours.pth'
    )
    assert not out.exists()
