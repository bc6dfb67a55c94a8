import functools
import http.server
import shutil
import threading

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmatfr.checkpoint import (
    check_fit,
    open_checkpoint,
)
from mmatfr.integrity import hash_beside, sha256_of
from mmatfr.zoo.models import zoo_root


@pytest.mark.parametrize(
    'content,words',
    [
        (b'hello\n', 'cannot be read'),
        (b'', 'cannot be read'),
        (b'PK\3\4half', 'cannot be read'),
        (b'\x80\x02}q\x00.', 'cannot be read'),
        ([1], 'it is a list'),
        (dict(state_dict=[1]), 'state_dict is a list'),
        (dict(state_dict={}, meta='x'), 'meta is a str'),
        (dict(state_dict=dict(a=1)), 'no weights'),
        (dict(), 'no weights'),
    ],
    ids=repr,
)
def test_what_is_no_checkpoint_is_named(tmp_path, content, words):
    path = tmp_path / 'model.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=words) as error:
        open_checkpoint(str(path))
    assert str(path) in str(error.value)
    if words != 'no weights':  # so does mmengine, for training and testing
        with pytest.raises(ValueError, match=words):
            CheckpointLoader.load_checkpoint(str(path))


@pytest.mark.parametrize('ending', ['pth', 'safetensors'])
def test_a_flipped_bit_is_found(tmp_path, ending):
    (source,) = (zoo_root() / 'releases').glob(f'resnet3d*-path_*.{ending}')
    path = tmp_path / source.name
    shutil.copy(source.with_suffix('.yml'), tmp_path)
    content = bytearray(source.read_bytes())
    path.write_bytes(content)
    assert hash_beside(str(path)) == sha256_of(str(path))
    whole, _ = open_checkpoint(str(path))
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match='not the published file'):
        open_checkpoint(str(path))
    if ending == 'pth':  # also where mmengine loads it, by the name alone
        path.with_suffix('.yml').unlink()
        with pytest.raises(ValueError, match='not the published file'):
            CheckpointLoader.load_checkpoint(str(path))


def test_a_flipped_bit_is_found_without_a_hash(tmp_path):
    """As in a checkpoint of a training; torch takes other weights."""
    path = tmp_path / 'epoch_1.pth'
    weight = torch.arange(9999.0)
    torch.save(dict(state_dict=dict(weight=weight)), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not torch.load(path)['state_dict']['weight'].equal(weight)
    with pytest.raises(ValueError, match='epoch_1.pth.*damaged.*CRC-32'):
        CheckpointLoader.load_checkpoint(str(path))
    # Some write no checksums.
    torch.serialization.set_crc32_options(False)
    torch.save(dict(state_dict=dict(weight=weight)), path)
    torch.serialization.set_crc32_options(True)
    weights, _ = open_checkpoint(str(path))
    assert weights['weight'].equal(weight)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder and the address at which it is served."""
    folder = tmp_path / 'served'
    folder.mkdir()
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    monkeypatch.setenv('no_proxy', '*')
    server = http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0),
        functools.partial(
            http.server.SimpleHTTPRequestHandler, directory=str(folder)
        ),
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()


def test_weights_from_the_net_are_checked(served):
    """As in ``load_from`` of a config."""
    folder, address = served
    torch.save(dict(state_dict=dict(a=torch.ones(2))), folder / 'raw.pth')
    sha = sha256_of(str(folder / 'raw.pth'))[:8]
    content = (folder / 'raw.pth').read_bytes()
    (folder / f'whole_20260101-{sha}.pth').write_bytes(content)
    (folder / f'cut_20260101-{sha}.pth').write_bytes(content[:-9])
    load = CheckpointLoader.load_checkpoint
    loaded = load(f'{address}/whole_20260101-{sha}.pth')
    assert loaded['state_dict']['a'].tolist() == [1, 1]
    with pytest.raises(ValueError, match='is not the published file'):
        load(f'{address}/cut_20260101-{sha}.pth')
    missing = f'{address}/missing.pth'
    with pytest.raises(FileNotFoundError, match=f"'{missing}' cannot be down"):
        load(missing)


def test_imagenet_weights_by_name_need_no_torchvision(served, tmp_path):
    cached = tmp_path / 'hub/checkpoints/resnet50-0676ba61.pth'
    cached.parent.mkdir(parents=True)
    torch.save(dict(fc=torch.ones(3)), cached)
    loaded = CheckpointLoader.load_checkpoint('torchvision://resnet50')
    assert loaded['fc'].tolist() == [1, 1, 1]


def test_damaged_entry_beside_a_release_is_named(tmp_path):
    path = tmp_path / 'model.pth'
    torch.save({}, path)
    for entry in ('Models: [', 'hello', 'Models: 3', 'Models: [3]'):
        path.with_suffix('.yml').write_text(entry)
        with pytest.raises(ValueError, match=r"model.yml'.*is damaged"):
            hash_beside(str(path))
    path.with_suffix('.yml').write_text('Models: []')
    assert hash_beside(str(path)) is None


def test_fit():
    own = {
        'a': torch.rand(2),
        'sgs.fc1.weight': torch.rand(2),
        'bn.num_batches_tracked': torch.tensor(0),
    }
    check_fit(own, own, 'file', 'config')
    base = dict(a=own['a'], head=own['a'])
    check_fit(own, base, 'file', 'config', base=True)
    with pytest.raises(ValueError, match='2 missing there.*1 unknown here'):
        check_fit(own, base, 'file', 'config')
    for weights, words in (
        ({}, r'1 missing there \(a\)'),
        ({'a': torch.rand(3)}, r'1 of another shape \(a is \(3,\)'),
    ):
        with pytest.raises(ValueError, match=words):
            check_fit(own, weights, 'file', 'config', base=True)
