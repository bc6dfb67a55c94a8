"""Models by name."""

import shutil

import pytest
import torch
from mmaction.registry import MODELS

import mmatfr
from mmatfr.zoo import models
from mmatfr.zoo.models import (
    config_path,
    find_checkpoint,
    find_configs,
    released_weights,
)

NAME = 'x3d_xxs-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'


def test_lists_all_configs_or_some():
    names = mmatfr.list_models()
    assert names == list(find_configs()) and len(names) == len(set(names))
    some = mmatfr.list_models('*-atfr*sthv2*')
    assert some and all('sthv2' in name for name in some)
    assert set(some) < set(names)
    assert mmatfr.list_models('no such*') == []
    released = mmatfr.list_models(released=True)
    assert all(released_weights(name) for name in released)


def test_builds_a_recognizer_with_settings_of_its_own():
    model = mmatfr.create_model(
        NAME,
        num_classes=7,
        backbone=dict(sgs=dict(num_bins=4, border_groups=False)),
    )
    assert not model.training
    with torch.no_grad():
        scores = model(
            torch.rand(2, 1, 3, 16, 32, 32), mode='tensor', stage='head'
        )
    assert scores.shape == (2, 7)
    assert model.backbone.lengths.max() <= 4
    assert model.cfg.model.cls_head.num_classes == 7


def test_builds_the_network_without_sampling():
    model = mmatfr.create_model(NAME, backbone=dict(sgs=None))
    assert model.backbone.lengths is None
    assert not any('sgs' in key for key in model.state_dict())


def test_cut_metafile_is_named_and_the_others_are_read(tmp_path, monkeypatch):
    root = models.zoo_root()
    shutil.copytree(root / 'configs', tmp_path / 'configs')
    monkeypatch.setattr(models, 'zoo_root', lambda: tmp_path)
    find_configs.cache_clear()
    try:
        metafile = tmp_path / 'configs/recognition/x3d/metafile.yml'
        whole = metafile.read_bytes()
        start = whole.index(f'Name: {NAME}'.encode())
        # In a list, in an entry, in a name, before the models, at the start.
        for size in (start - 3, start + 2, start + 20, 400, 40, 0):
            metafile.write_bytes(whole[:size])
            with pytest.raises(
                ValueError, match='x3d/metafile.yml.*cut short'
            ):
                released_weights(NAME)
            others = mmatfr.list_models(released=True)
            assert others and not any('x3d' in name for name in others)
            assert all(released_weights(name) for name in others)
    finally:
        find_configs.cache_clear()


def test_says_what_is_wrong():
    with pytest.raises(FileNotFoundError, match='no_model.*list_models'):
        mmatfr.create_model('no_model')
    with pytest.raises(ValueError, match='num_classes=0'):
        mmatfr.create_model(NAME, num_classes=0)
    with pytest.raises(ValueError, match='stage=9'):
        mmatfr.create_model(NAME, backbone=dict(sgs=dict(stage=9)))
    with pytest.raises(FileNotFoundError, match='no weights have been'):
        mmatfr.create_model(
            'x3d_xl-atfr_8xb8-16x5x1-256e_kinetics400-rgb',
            checkpoint='released',
        )
    with pytest.raises(FileNotFoundError, match='gone.pth'):
        mmatfr.create_model(NAME, checkpoint='gone.pth')


def test_starts_from_a_plain_checkpoint_of_other_classes(tmp_path):
    """mmaction2's own network: no keys of sgs, and its number of classes."""
    name = 'slowfast-mini-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
    model = mmatfr.create_model(name, backbone=dict(sgs=None), num_classes=400)
    plain = MODELS.build(model.cfg.model.copy()).state_dict()
    assert not any('sgs' in key for key in plain)
    path = tmp_path / 'plain.pth'
    torch.save(dict(state_dict=plain), path)
    model = mmatfr.create_model(name, num_classes=5, checkpoint=str(path))
    own = model.state_dict()
    for key, value in plain.items():
        if not key.startswith('cls_head'):
            assert own[key].equal(value), key
    assert model.cls_head.fc_cls.weight.shape[0] == 5
    assert model.classes is None
    # The same number of classes: the head is loaded, too.
    model = mmatfr.create_model(name, num_classes=400, checkpoint=str(path))
    assert model.cls_head.fc_cls.weight.equal(plain['cls_head.fc_cls.weight'])
    # Anything else that is missing is an error.
    del plain['backbone.slow_path.conv1.conv.weight']
    torch.save(dict(state_dict=plain), path)
    with pytest.raises(ValueError, match='1 missing there .*slow_path.conv1'):
        mmatfr.create_model(name, num_classes=400, checkpoint=str(path))


@pytest.mark.parametrize('name', mmatfr.list_models(released=True))
def test_released_weights_load_by_name(name):
    model = mmatfr.create_model(name, checkpoint='released')
    assert len(model.classes) == model.cfg.model.cls_head.num_classes
    # Without sampling, too: weights of the layers are left out.
    plain = mmatfr.create_model(
        name, checkpoint='released', backbone=dict(sgs=None)
    )
    sampled = model.state_dict()
    for key, value in plain.state_dict().items():
        assert value.equal(sampled[key]), key


def test_weights_of_layers_that_are_there_have_to_match(tmp_path):
    weights = mmatfr.create_model(NAME).state_dict()
    weights['backbone.sgs.fc1.weight'] = torch.rand(4, 4)
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict=weights), path)
    with pytest.raises(ValueError, match='1 unknown here .*sgs.fc1'):
        mmatfr.create_model(NAME, checkpoint=path)


def test_released_weights_are_found_by_name_and_by_path():
    name = mmatfr.list_models(released=True)[0]
    weights = released_weights(name)
    for config in (name, f'{name}.py', config_path(name)):
        assert released_weights(config) == weights
        assert find_checkpoint(config) == weights
        assert find_checkpoint(config, 'own.pth') == 'own.pth'
    with pytest.raises(FileNotFoundError, match="for 'own', only for .*;"):
        find_checkpoint('configs/own.py')
