"""Sampling put into a checkpoint by its command."""

import torch
from script_runs import ROOT, assert_one_line, run_script

from mmatfr.apis import build_recognizer, load_config

FOLDER = ROOT / 'configs/recognition/resnet3d'
PLAIN = 'resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb.py'
NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py'


def insert(config, *args):
    script = 'tools/analysis_tools/insert_sampling.py'
    return run_script(script, FOLDER / config, *args)


def test_the_weights_stay_and_the_range_is_found(tempo, tmp_path):
    plain = build_recognizer(load_config(str(FOLDER / PLAIN)).model)
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    done = insert(
        NAME,
        *(tmp_path / 'plain.pth', tmp_path / 'out' / 'inserted.pth'),
        *('--batches', '2', '--cfg-options'),
        f'train_dataloader.dataset.data_root={tempo}',
        f'train_dataloader.dataset.metainfo.classes={tempo}/classes.txt',
    )
    assert done.returncode == 0, done.stderr[-3000:]
    weights = torch.load(tmp_path / 'out' / 'inserted.pth')['state_dict']
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(weights.pop(name), value)
    assert sorted(weights) == [
        'backbone.sgs.num_batches_tracked',
        'backbone.sgs.running_peak',
    ]
    assert weights['backbone.sgs.num_batches_tracked'] == 2
    assert weights['backbone.sgs.running_peak'] > 0


def test_head_is_fitted(tempo, tmp_path):
    plain = build_recognizer(load_config(str(FOLDER / PLAIN)).model)
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    done = insert(
        NAME,
        *(tmp_path / 'plain.pth', tmp_path / 'inserted.pth'),
        *('--batches', '1', '--fit-batches', '2', '--cfg-options'),
        'model.backbone.sgs.similarity=learned_path',
        'train_dataloader.batch_size=4',
        f'train_dataloader.dataset.data_root={tempo}',
        f'train_dataloader.dataset.metainfo.classes={tempo}/classes.txt',
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'backbone.sgs: the head explains' in done.stdout
    weights = torch.load(tmp_path / 'inserted.pth')['state_dict']
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(weights.pop(name), value)
    assert weights['backbone.sgs.running_peak'] > 0
    assert weights['backbone.sgs.similarity.fc.weight'].shape == (1, 16, 1)


def test_one_line_says_what_is_wrong(tmp_path):
    done = insert(NAME, 'no.pth', tmp_path / 'out.pth')
    assert_one_line(done, "'no.pth' does not")
    other = next((ROOT / 'releases').glob('x3d*.pth'))
    done = insert(NAME, other, tmp_path / 'out.pth')
    assert_one_line(done, 'does not fit', 'missing there')
    assert not (tmp_path / 'out.pth').exists()
