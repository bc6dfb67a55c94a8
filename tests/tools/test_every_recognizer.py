"""Every recognizer trains and tests through mmaction2's own scripts."""

import pytest
import torch
from mmengine.config import Config
from script_runs import ROOT, run_script

from mmatfr.apis import build_recognizer, without_sampling

CONFIGS = sorted(ROOT.glob('configs/recognition/*/*-atfr*_tempo-small-*.py'))


def run(script, *args):
    done = run_script(f'tools/{script}', *args)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_there_is_a_config_for_every_backbone():
    from mmatfr.models import backbones

    written = ''.join(config.read_text() for config in CONFIGS)
    for name in backbones.__all__:
        if name.startswith('ATFR') and name != 'ATFR':
            assert f"type='{name}'" in written, name


@pytest.mark.parametrize(
    'config', CONFIGS, ids=lambda path: path.stem.split('_1xb')[0]
)
def test_trains_two_iterations_and_tests(config, tempo, tmp_path):
    options = {
        'load_from': None,
        'train_cfg.max_epochs': 1,
        'train_cfg.val_interval': 1,
        **{
            f'{split}_dataloader.{name}': value
            for split in ('train', 'val', 'test')
            for name, value in (
                ('dataset.data_root', tempo),
                ('dataset.metainfo.classes', tempo / 'classes.txt'),
            )
        },
    }
    cfg = Config.fromfile(config)
    for place, hook in enumerate(cfg.custom_hooks):
        if hook.type == 'FitSimilarityHook':
            # One batch and pass show that heads are fitted; more takes a
            # minute.
            options[f'custom_hooks.{place}.num_batches'] = 1
            options[f'custom_hooks.{place}.epochs'] = 1
        elif hook.type == 'DistillationHook':
            teacher = build_recognizer(without_sampling(cfg.model))
            torch.save(teacher.state_dict(), tmp_path / 'teacher.pth')
            options[f'custom_hooks.{place}.teacher'] = tmp_path / 'teacher.pth'
    options = ['--cfg-options', *(f'{k}={v}' for k, v in options.items())]
    log = run('train.py', config, '--work-dir', tmp_path, *options)
    assert 'temporal_resolution' in log and 'acc/top1' in log
    checkpoint = torch.load(tmp_path / 'epoch_1.pth')
    assert checkpoint['meta']['iter'] == 2
    log = run(
        'test.py',
        config,
        tmp_path / 'epoch_1.pth',
        '--work-dir',
        tmp_path / 'test',
        *options,
    )
    for metric in (
        'acc/top1',
        'cost/temporal_resolution',
        'cost/gflops_per_clip',
    ):
        assert metric in log
