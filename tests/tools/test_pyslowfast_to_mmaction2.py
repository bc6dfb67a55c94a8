import re

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.runner import load_checkpoint
from script_runs import ROOT, assert_one_line, run_script

CONFIG = """
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ATFRResNet3d', depth=50, stage_blocks=(2, 2, 2, 2),
        base_channels=4, conv1_kernel=(5, 7, 7), inflate=(1, 0, 0, 1),
        with_pool2=False, sgs=dict()),
    cls_head=dict(type='I3DHead', num_classes={}, in_channels=128))
"""


def convert(*args):
    script = 'tools/model_converters/pyslowfast_to_mmaction2.py'
    return run_script(script, *args)


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


def assert_refused(words, *args):
    done = convert(*args)
    assert_one_line(done, words)
    assert 'written' not in done.stdout


def test_converted_checkpoint_loads(tmp_path, weights, config):
    """Of a checkpoint as PySlowFast writes it."""
    source, out = tmp_path / 'theirs.pyth', tmp_path / 'ours.pth'
    torch.save(dict(epoch=1, model_state=weights, cfg='MODEL: {}'), source)
    done = convert(source, out, '--config', config)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
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
def test_missing_weights_are_listed(tmp_path, weights, config, container):
    plain = {k: v for k, v in weights.items() if '.ts_layer.' not in k}
    source, out = tmp_path / 'theirs.pyth', tmp_path / 'ours.pth'
    torch.save({container: plain} if container else plain, source)
    done = convert(source, out, '--config', config)
    first, *missing, last = done.stdout.splitlines()
    assert first == 'missing: 9' and str(out) in last
    assert '  backbone.sgs.fc1.weight (8, 16)' in missing
    assert all(name.startswith('  backbone.sgs.') for name in missing)
    converted = torch.load(out, weights_only=True)['state_dict']
    assert len(converted) == len(plain)


def test_weights_that_do_not_fit_the_config(tmp_path, weights):
    source, out = tmp_path / 'theirs.pyth', tmp_path / 'ours.pth'
    torch.save(weights, source)
    config = tmp_path / 'other.py'
    config.write_text(CONFIG.format(7))
    args = source, out, '--config'
    assert_refused(
        'fc_cls.weight is (5, 128) there and (7, 128) here', *args, config
    )
    config.write_text('data = dict()')
    assert_refused('has no model', *args, config)
    assert_refused('nowhere.py', *args, tmp_path / 'nowhere.py')
    assert not out.exists()


def test_bad_checkpoints(tmp_path, weights):
    source, out = tmp_path / 'theirs.pyth', tmp_path / 'ours.pth'

    for words, content in (
        (
            'head.foo.weight',
            dict(weights, **{'head.foo.weight': torch.rand(2)}),
        ),
        ('has no weights', dict(epoch=3)),
        ('not a checkpoint', torch.rand(3)),
        # An object that unpickling would have to import is not read.
        (
            'weights_only=True',
            dict(model_state=weights, note=re.compile('a')),
        ),
    ):
        torch.save(content, source)
        assert_refused(words, source, out)
    for content in (b'', b'no checkpoint\n', b'PK\x03\x04 cut short'):
        source.write_bytes(content)
        assert_refused(str(source), source, out)
    assert_refused('nowhere.pyth', tmp_path / 'nowhere.pyth', out)
    torch.save(weights, source)
    assert_refused('nowhere', source, tmp_path / 'nowhere/ours.pth')
    assert not out.exists()
