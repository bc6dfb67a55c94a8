"""Publishes a checkpoint and verifies the release."""

import json

import pytest
import torch
import yaml
from safetensors.torch import load_file
from script_runs import ROOT, assert_one_line, run_script

import mmatfr
from mmatfr.apis import build_recognizer, load_config
from mmatfr.atomic_write import WriteError
from mmatfr.checkpoint import open_checkpoint
from mmatfr.integrity import sha256_of
from mmatfr.zoo.metafile import read_entries
from mmatfr.zoo.models import config_path
from mmatfr.zoo.release import (
    add_to_zoo,
    check_folder,
    discard_on_error,
    publish,
    register,
)
from mmatfr.zoo.tables import released_table
from mmatfr.zoo.verification import check_release

NAME = 'x3d_xxs-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
WIDER = """
_base_ = ['{}']
model = dict(backbone=dict(gamma_b=3.0), cls_head=dict(in_channels=192))
"""
METRICS = {
    'acc/top1': 0.75,
    'acc/top5': 1.0,
    'cost/temporal_resolution': 0.5,
    'cost/temporal_resolution_p5': 0.25,
    'cost/temporal_resolution_p95': 0.8125,
    'cost/gflops_per_clip': 0.0167,
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A checkpoint as mmengine writes it, with averaged weights."""
    torch.manual_seed(0)
    cfg = load_config(config_path(NAME))
    averaged, last = (build_recognizer(cfg.model) for _ in range(2))
    path = tmp_path_factory.mktemp('trained') / 'epoch_8.pth'
    torch.save(
        dict(
            meta=dict(
                epoch=8, dataset_meta=dict(classes=list('abcdefghijkl'))
            ),
            state_dict=averaged.state_dict(),  # EMAHook swaps the two
            ema_state_dict={
                'steps': torch.tensor(9),
                **{f'module.{k}': v for k, v in last.state_dict().items()},
            },
            optimizer=dict(state={}),
        ),
        path,
    )
    return path, averaged.state_dict(), last.state_dict()


@pytest.fixture(scope='module')
def release(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp('release')
    release = publish(NAME, str(trained[0]), out)
    register(release, METRICS)
    return release


def copy(release, folder):
    for file in release.files[0].parent.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return [folder / file.name for file in release.files]


def test_files_hold_the_weights_and_are_named_by_their_hash(release, trained):
    pth, tensors = release.files
    digest = sha256_of(str(pth))
    assert pth.name.startswith(f'{NAME}_20') and pth.suffix == '.pth'
    assert pth.stem.endswith(f'-{digest[:8]}') and pth.stem == tensors.stem
    content = torch.load(pth, weights_only=True)
    assert set(content) == {'meta', 'state_dict'}
    weights = load_file(tensors)
    for name, value in trained[2].items():
        assert content['state_dict'][name].equal(value)
        assert weights[name].equal(value)
    assert open_checkpoint(str(tensors))[1]['classes'][0] == 'a'


def test_publishing_again_gives_the_same_file(release, trained, tmp_path):
    again = publish(NAME, str(trained[0]), tmp_path)
    assert again.files[0].name == release.files[0].name
    assert again.entry['SHA256'] == release.entry['SHA256']


def test_averaged_weights(trained, tmp_path):
    averaged = publish(
        NAME, str(trained[0]), tmp_path, ema=True, safetensors=False
    )
    register(averaged, METRICS)
    (file,) = averaged.files
    assert not list(tmp_path.glob('*.safetensors'))
    check_release(str(file))
    weights, _ = open_checkpoint(str(file))
    assert all(weights[k].equal(v) for k, v in trained[1].items())
    plain = tmp_path / 'plain.pth'
    torch.save(dict(state_dict=trained[1]), plain)
    with pytest.raises(ValueError, match='no averaged weights.*--ema'):
        publish(NAME, str(plain), tmp_path, ema=True)


def test_half_precision_is_half_the_size(release, trained, tmp_path):
    files = publish(NAME, str(trained[0]), tmp_path, half=True).files
    for small, full in zip(files, release.files, strict=True):
        assert small.stat().st_size < 0.65 * full.stat().st_size
    model = mmatfr.create_model(NAME, checkpoint=str(files[0]))
    for name, value in model.state_dict().items():
        assert value.dtype == trained[2][name].dtype
        torch.testing.assert_close(
            value, trained[2][name], rtol=1e-3, atol=1e-6
        )


def test_entry_has_the_fields_of_mmaction2(release):
    pth = release.files[0]
    (entry,) = yaml.safe_load(pth.with_suffix('.yml').read_text())['Models']
    assert entry['Name'] == NAME and entry['Modality'] == 'RGB'
    assert (ROOT / entry['Config']).is_file()
    assert entry['Metadata']['Training Data'] == 'tempo small'
    assert entry['Metadata']['Parameters'] == '0.399M'
    (result,) = entry['Results']
    assert result['Metrics'] == {
        'Top 1 Accuracy': 75.0,
        'Top 5 Accuracy': 100.0,
        'Temporal Resolution': 0.5,
        'Temporal Resolution p5': 0.25,
        'Temporal Resolution p95': 0.812,
        'GFLOPs per Clip': 0.0167,
    }
    card = pth.with_suffix('.md').read_text()
    for word in (NAME, '| Temporal Resolution p95 | 0.812 |', '75.0'):
        assert word in card


def test_entry_takes_its_place_in_the_zoo(release, tmp_path):
    own = ROOT / 'configs/recognition/x3d/metafile.yml'
    metafile = tmp_path / own.relative_to(ROOT)
    metafile.parent.mkdir(parents=True)
    metafile.write_text(own.read_text())
    before = read_entries(tmp_path)
    with pytest.raises(ValueError, match='is outside .*--url'):
        add_to_zoo(release, tmp_path)
    (tmp_path / release.files[0].name).touch()
    assert add_to_zoo(release, tmp_path) == metafile
    after = read_entries(tmp_path)
    assert list(after) == list(before)
    assert after[NAME] == release.entry
    del before[NAME], after[NAME]
    assert after == before
    table = released_table([release.entry])
    assert '| 75.0 / 100.0 | 0.5 [0.25, 0.812] | 0.0167 |' in table


def test_accepts_what_was_published(release):
    for file in release.files:
        cfg, entry = check_release(str(file))
        assert cfg.filename == config_path(NAME)
        assert entry['Name'] == NAME


@pytest.mark.parametrize('which', [0, 1])
def test_refuses_a_flipped_byte(release, tmp_path, which):
    file = copy(release, tmp_path)[which]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        ValueError, match='SHA-256 begins with .* get it again'
    ):
        check_release(str(file))


@pytest.mark.parametrize('which', [0, 1])
def test_refuses_a_truncated_file(release, tmp_path, which):
    file = copy(release, tmp_path)[which]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match='damaged or incomplete'):
        check_release(str(file))
    # So it is where nothing but the file is known.
    bare = tmp_path / f'other{file.suffix}'
    bare.write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match='cannot be read'):
        open_checkpoint(str(bare))


def test_refuses_a_config_of_another_width(release, trained, tmp_path):
    config = tmp_path / 'wider.py'
    config.write_text(WIDER.format(config_path(NAME)))
    for refuse in (
        lambda: check_release(str(release.files[0]), str(config)),
        lambda: publish(str(config), str(trained[0]), tmp_path / 'out'),
        lambda: mmatfr.create_model(
            str(config), checkpoint=str(release.files[1])
        ),
    ):
        with pytest.raises(ValueError, match=r'does not fit.*wider.*\(1'):
            refuse()
    assert not (tmp_path / 'out').exists()


def test_config_of_any_name(trained, tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = ['{config_path(NAME)}']\n")
    release = publish(str(config), str(trained[0]), tmp_path / 'out')
    register(release, METRICS)
    pth = release.files[0]
    assert pth.name.startswith('mine_20')
    (entry,) = yaml.safe_load(pth.with_suffix('.yml').read_text())['Models']
    assert entry['Metadata']['Architecture'] == 'X3D'
    assert 'Training Resources' not in entry['Metadata']
    assert entry['Metadata']['Training Data'] == 'train.txt'
    assert entry['Results'][0]['Dataset'] == 'train.txt'
    assert "'mine.py'" in pth.with_suffix('.md').read_text()
    check_release(str(pth), str(config))


def test_refuses_what_is_not_fit(trained, tmp_path):
    bad = dict(trained[1])
    bad['cls_head.fc2.bias'] = bad['cls_head.fc2.bias'] * float('nan')
    torch.save(bad, tmp_path / 'nan.pth')
    with pytest.raises(ValueError, match='cls_head.fc2.bias.*not finite'):
        publish(NAME, str(tmp_path / 'nan.pth'), tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='gone.pth'):
        publish(NAME, 'gone.pth', tmp_path / 'out')
    stray = tmp_path / 'stray.pth'
    torch.save(trained[1], stray)
    with pytest.raises(ValueError, match='is unknown: neither'):
        check_release(str(stray))


@pytest.mark.parametrize('size', [10_000, 110_000])
def test_full_disk_leaves_nothing(trained, tmp_path, full_disk, size):
    # Of 101 kB are the .pth and of 116 kB the .safetensors.
    with (
        full_disk(size),
        pytest.raises(WriteError, match='cannot be written.*free space'),
    ):
        publish(NAME, str(trained[0]), tmp_path / 'out')
    assert not list((tmp_path / 'out').iterdir())


def test_refused_release_leaves_only_what_was_there(trained, tmp_path):
    release = publish(NAME, str(trained[0]), tmp_path, safetensors=False)
    again = publish(NAME, str(trained[0]), tmp_path)
    assert again.files[0] == release.files[0]
    register(again, METRICS)
    with pytest.raises(ValueError, match='outside'), discard_on_error(again):
        check_folder(tmp_path, ROOT)
    assert list(tmp_path.iterdir()) == release.files
    check_folder(ROOT / 'releases', ROOT)


def test_commands_measure_on_the_data_set(trained, tempo, tmp_path):
    """Publishing tests the release, verifying tests it again."""
    options = [
        '--cfg-options',
        f'test_dataloader.dataset.data_root={tempo}',
        f'test_dataloader.dataset.metainfo.classes={tempo}/classes.txt',
    ]
    publish, verify = (
        f'tools/deployment/{name}.py'
        for name in ('publish_model', 'verify_release')
    )
    done = run_script(publish, NAME, trained[0], tmp_path, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    (pth,) = tmp_path.glob('*.pth')
    (entry,) = yaml.safe_load(pth.with_suffix('.yml').read_text())['Models']
    metrics = entry['Results'][0]['Metrics']
    assert 0 <= metrics['Temporal Resolution p5'] <= 1
    assert 0 < metrics['GFLOPs per Clip'] < 0.024
    done = run_script(verify, pth, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    accuracy = metrics['Top 1 Accuracy']
    assert f'{accuracy:.2f} %, published {accuracy} %' in done.stdout

    log = tmp_path / 'log.json'
    log.write_text(json.dumps({'loss': 1.0}))
    out = tmp_path / 'out'
    done = run_script(publish, NAME, trained[0], out, '--test-log', log)
    assert_one_line(done, 'no acc/top1')
    assert not out.exists()
