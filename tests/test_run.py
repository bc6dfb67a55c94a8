"""Scripts of mmaction2, run after importing this package."""

import importlib.util
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmatfr.apis import build_recognizer
from mmatfr.run import find_config, find_tool, run_tool

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs/recognition'
SMALL = (
    CONFIGS / 'resnet3d/resnet3d-mini-dense-atfr-path_1xb12-16x2x1-1e_'
    'tempo-tiny-rgb.py'
)
SLOWFAST = (
    CONFIGS / 'slowfast/slowfast-mini-atfr-path_1xb12-16x2x1-8e_'
    'tempo-small-rgb.py'
)
TSM = CONFIGS / 'tsm/tsm-r18-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py'


@pytest.fixture
def tool(monkeypatch, tmp_path, capfd):
    """Runs a script in this process; returns its output."""
    monkeypatch.chdir(tmp_path)

    def run(name, *args):
        monkeypatch.setattr(sys, 'argv', sys.argv)
        monkeypatch.setattr(sys, 'path', [*sys.path])
        run_tool(name, [str(arg) for arg in args])
        return capfd.readouterr().out

    return run


def assert_stops(run, *words):
    with pytest.raises(SystemExit) as stop:
        run()
    said = str(stop.value)
    assert said.startswith('error: ') and '\n' not in said
    for word in words:
        assert word in said


def test_accuracy_of_predictions(tool, write_trained, tmp_path):
    config, weights = write_trained(SMALL)
    tool(
        'tools/test.py',
        config,
        weights,
        '--dump',
        'predictions.pkl',
        '--work-dir',
        'tested',
    )
    (log,) = tmp_path.glob('tested/*/2*.json')
    top1 = json.loads(log.read_text().splitlines()[-1])['acc/top1']
    said = tool(
        'analysis_tools/report_accuracy.py',
        *('--preds', 'predictions.pkl', '--coefficients', 1),
    )
    assert f'Top 1 Accuracy: {top1:.04f}' in said
    tool(
        'analysis_tools/confusion_matrix.py',
        *(config, 'predictions.pkl', '--out', 'matrix.pkl'),
        *('--show-path', 'matrix.png'),
    )
    matrix = pickle.loads((tmp_path / 'matrix.pkl').read_bytes())
    assert matrix.sum() == 12
    assert matrix.trace() == round(12 * top1)
    assert (tmp_path / 'matrix.png').stat().st_size > 1000


def test_as_a_command_with_a_config_of_mmaction2(tmp_path):
    """In a fresh interpreter."""
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'mmatfr.run'),
            'analysis_tools/get_flops.py',
            'mmaction::recognition/tsn/'
            'tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py',
            *('--shape', '1', '3', '64', '64'),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # 4.11 G at 224x224.
    flops = float(re.search(r'Flops: ([\d.]+)G', done.stdout)[1])
    assert flops == pytest.approx(4.11 * (64 / 224) ** 2, rel=0.05)


def test_a_recognizer_of_mmaction2_is_tested(tool, tempo, tmp_path):
    """With a config of mmaction2 by its name, of a smaller network."""
    name = (
        'mmaction::recognition/tsn/'
        'tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py'
    )
    loader, pipeline = (
        f'test_dataloader{part}' for part in ('', '.dataset.pipeline')
    )
    options = {
        'model.backbone.depth': 18,
        'model.backbone.pretrained': None,
        'model.cls_head.in_channels': 512,
        'model.cls_head.num_classes': 12,
        f'{loader}.num_workers': 0,
        f'{loader}.persistent_workers': False,
        f'{loader}.dataset.ann_file': tempo / 'test.txt',
        f'{loader}.dataset.data_prefix.video': tempo / 'videos',
        f'{pipeline}.1.num_clips': 2,
        f'{pipeline}.3.scale': '(-1,32)',
        f'{pipeline}.4.type': 'CenterCrop',
        f'{pipeline}.4.crop_size': 32,
    }
    cfg = Config.fromfile(find_config(name))
    cfg.merge_from_dict({k: v for k, v in options.items() if 'model' in k})
    weights = build_recognizer(cfg.model).state_dict()
    torch.save(dict(state_dict=weights), 'tsn.pth')
    tool(
        *('tools/test.py', name, 'tsn.pth', '--work-dir', 'tested'),
        *('--cfg-options', *(f'{k}={v}' for k, v in options.items())),
    )
    (log,) = tmp_path.glob('tested/*/2*.json')
    assert 0 <= json.loads(log.read_text())['acc/top1'] <= 1
    # The check of weights holds here, too.
    del weights['cls_head.fc_cls.bias']
    torch.save(dict(state_dict=weights), 'headless.pth')
    assert_stops(
        lambda: tool(
            *('tools/test.py', name, 'headless.pth', '--work-dir', 'again'),
            *('--cfg-options', *(f'{k}={v}' for k, v in options.items())),
        ),
        'headless.pth',
        '1 missing there (cls_head.fc_cls.bias)',
    )


def test_activation_maps(tool, write_trained, tempo):
    config, weights = write_trained(SMALL)
    video = next((tempo / 'videos/test').glob('*.mp4'))
    args = (config, weights, video, '--target-layer-name', 'backbone/conv1')
    tool('visualizations/vis_cam.py', *args, '--device', 'cpu')
    if not torch.cuda.is_available():
        assert_stops(
            lambda: tool('visualizations/vis_cam.py', *args),
            'choose --device cpu',
        )


def test_browses_a_data_set(tool, write_trained, tmp_path):
    config, _ = write_trained(SMALL)

    def browse():
        tool(
            'visualizations/browse_dataset.py',
            *(config, 'out', '--phase', 'val', '--show-number', 2),
        )

    if importlib.util.find_spec('moviepy') is None:
        assert_stops(browse, 'install moviepy')
    else:
        browse()
        assert len(list(tmp_path.rglob('*.mp4'))) == 2


@pytest.mark.parametrize(
    'config,channels', [(SMALL, 128), (SLOWFAST, 160), (TSM, 512)]
)
def test_features(tool, write_trained, tmp_path, tempo, config, channels):
    """The script identifies SlowFast and the data set by name."""
    names = [
        line.split()[0]
        for line in (tempo / 'test.txt').read_text().splitlines()[:2]
    ]
    (tmp_path / 'names.txt').write_text('\n'.join(names))
    tool(
        'misc/clip_feature_extraction.py',
        *(*write_trained(config), tmp_path / 'out'),
        *('--video-list', tmp_path / 'names.txt'),
        *('--video-root', tempo / 'videos'),
    )
    for name in names:
        path = tmp_path / 'out' / f'{name}.pkl'
        assert pickle.loads(path.read_bytes()).shape == (channels,)


def test_mixed_precision_without_a_gpu(tool, write_trained):
    config, _ = write_trained(SMALL)
    if not torch.cuda.is_available():
        assert_stops(
            lambda: tool('train.py', config, '--amp'),
            'mixed precision needs a GPU',
            'remove --amp',
        )


def test_a_syntax_error_of_a_config_is_one_line(tool, tmp_path):
    (tmp_path / 'broken.py').write_text('a = 1\nmodel = dict(\n')
    with pytest.raises(SystemExit, match='^error: the config .* in line 2 '):
        tool('train.py', tmp_path / 'broken.py')


def test_what_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match='no script .*none.py'):
        find_tool('tools/none.py')
    assert find_tool('tools/train.py').name == 'train.py'
    with pytest.raises(FileNotFoundError, match="no config 'none.py'"):
        find_config('mmaction::none.py')
    with pytest.raises(FileNotFoundError, match="no package 'mmnone'"):
        find_config('mmnone::none.py')
    name = SMALL.relative_to(ROOT / 'configs')
    assert find_config(f'mmatfr::{name}') == str(SMALL)
    assert find_config('a=b::c') == 'a=b::c'


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_slurm_starts_the_script(tmp_path, tool):
    """A fake Slurm runs the command at once and prints its arguments."""
    srun = tmp_path / 'srun'
    srun.write_text(
        '#!/usr/bin/env bash\n'
        'while [[ $1 == --* ]]; do echo "$1"; shift; done\n'
        'echo "$@"\nexec "$@" --help\n'
    )
    srun.chmod(0o755)
    folder = str(Path(sys.executable).parent)
    script = ROOT / f'tools/slurm_{tool}.sh'

    def run(*args):
        return subprocess.run(
            ['bash', str(script), *args],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                'PATH': f'{tmp_path}:{folder}:{os.environ["PATH"]}',
                'PYTHONPATH': str(ROOT),
                'GPUS': '16',
                'SRUN_ARGS': '--qos=long --exclusive',
            },
        )

    named = ['part', 'job', 'a config.py', 'weights.pth'][
        : 3 + (tool == 'test')
    ]
    done = run(*named, '--work-dir', 'out')
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    for option in (
        *('--partition=part', '--job-name=job', '--gres=gpu:8'),
        *('--ntasks=16', '--ntasks-per-node=8', '--qos=long'),
    ):
        assert option in lines
    command = f'{tool}.py {" ".join(named[2:])} --launcher slurm --work-dir'
    assert any(command in line for line in lines)
    assert any(line.startswith('usage:') for line in lines)
    done = run('part', 'job')
    assert done.returncode == 2 and done.stderr.startswith(
        'Usage: tools/slurm'
    )


def test_two_processes_without_a_gpu_see_every_video_once(
    write_trained, tmp_path
):
    config, _ = write_trained(SMALL)
    work_dir = tmp_path / 'work_dir'
    folder = str(Path(sys.executable).parent)
    done = subprocess.run(
        [
            *('bash', str(ROOT / 'tools/dist_train.sh'), config, '2'),
            *('--work-dir', str(work_dir)),
            '--cfg-options',
            'train_cfg.val_interval=1',
            'train_cfg.val_begin=1',
            'val_dataloader.batch_size=5',
        ],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            'PATH': f'{folder}:{os.environ["PATH"]}',
            'PYTHONPATH': str(ROOT),
            'CUDA_VISIBLE_DEVICES': '',
            'PORT': str(29500 + os.getpid() % 1000),
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = work_dir.rglob('temporal_resolution_val_1.json')
    written = json.loads(path.read_text())
    # Two processes see six videos each, and both classes' of them count.
    assert sum(row['videos'] for row in written['classes']) == 12
    assert [row['videos'] for row in written['classes']] == 12 * [1]
    means = [row['temporal_resolution'] for row in written['classes']]
    assert written['all']['temporal_resolution'] == pytest.approx(
        sum(means) / 12
    )
