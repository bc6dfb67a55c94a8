"""docs/own_data.md, followed to the letter on videos written here."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from script_runs import ROOT, run_script

PAGE = (ROOT / 'docs/own_data.md').read_text()
COMMANDS = [
    line.replace('epoch_30', 'epoch_1')
    for block in re.findall(r'```shell\n(.*?)```', PAGE, re.S)
    for line in block.splitlines()
]
CONFIG, OTHER_FOLDER = re.findall(r'```python\n(.*?)```', PAGE, re.S)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Appended to the config of the page, for its time alone.
SHORT = """
model['backbone']['gamma_d'] = 0.5
load_from = 'x3d.pth'
train_cfg = dict(max_epochs=1)
""" + '\n'.join(
    f'{loader} = dict(num_workers=0, persistent_workers=False)'
    for loader in LOADERS
)


def write_video(path, seed, num_frames=32):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (80, 64)
    )
    for t in range(num_frames):
        writer.write(np.roll(frame, t * (seed % 3), axis=1))
    writer.release()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A clone with videos of two classes, and lists by the page's command."""
    folder = tmp_path_factory.mktemp('own')
    (folder / 'configs').mkdir()
    (folder / 'configs/_base_').symlink_to(ROOT / 'configs/_base_')
    (folder / 'tools').symlink_to(ROOT / 'tools')
    (folder / 'configs/own.py').write_text(CONFIG + SHORT)
    videos = folder / 'data/own/videos'
    for i, name in enumerate('abgh'):
        write_video(videos / f'open the door/{name}.mp4', i)
    for i, name in enumerate('cdef'):
        write_video(videos / f'wave/{name} {i}.mp4', i + 4)
    (videos / 'wave/c 0.mp4').rename(videos / 'wave/c.mp4')
    (videos / 'wave/cut.mp4').write_bytes(b'no video')
    make_lists, *_ = COMMANDS
    run(make_lists, folder)
    return folder


def run(command, folder):
    python, script, *words = shlex.split(command)
    assert python == 'python'
    done = run_script(script, *words, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_lists_hold_each_good_video_once(folder):
    lists = {
        split: (folder / f'data/own/{split}.txt').read_text().splitlines()
        for split in ('train', 'val', 'test')
    }
    assert {k: len(v) for k, v in lists.items()} == dict(
        train=4, val=2, test=2
    )
    lines = sorted(sum(lists.values(), []))
    assert len(set(lines)) == 8
    assert all(
        line.endswith(' 0') == line.startswith('open the door/')
        and line.endswith(' 1') == line.startswith('wave/')
        for line in lines
    )
    for split in lists.values():
        assert {line[-1] for line in split} == {'0', '1'}
    classes = (folder / 'data/own/classes.txt').read_text()
    assert classes == 'open the door\nwave\n'
    assert (folder / 'data/own/bad.txt').read_text().startswith('wave/cut.mp4')


def test_trains_from_a_checkpoint_tests_and_names_the_classes(folder):
    """X3D, as on the page; the weights are those of mmaction2's class."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(folder / 'configs/own.py')
    cfg.model.backbone.update(type='X3D')
    del cfg.model.backbone.sgs
    cfg.model.cls_head.num_classes = 400
    torch.save(
        dict(state_dict=MODELS.build(cfg.model).state_dict()),
        folder / 'x3d.pth',
    )
    _, train, test, demo = COMMANDS
    log = run(train, folder).stdout
    assert 'Load checkpoint from x3d.pth' in log
    # The head has another number of classes; everything else is loaded.
    mismatches = re.findall(r'size mismatch for (\S+):', log)
    assert mismatches == ['cls_head.fc2.weight', 'cls_head.fc2.bias']
    assert 'missing keys in source state_dict' not in log
    assert 'temporal_resolution' in log
    tested = run(test, folder).stdout
    for metric in ('acc/top1', 'cost/gflops_per_clip'):
        assert metric in tested
    shown = run(demo, folder).stdout
    assert 'open the door' in shown and 'wave' in shown


@pytest.fixture
def own_config(tmp_path):
    """Reads a config of the page's bases, as it stands in `configs`."""

    def load(model, data, schedule, body=''):
        (tmp_path / '_base_').symlink_to(ROOT / 'configs/_base_')
        path = tmp_path / 'own.py'
        bases = [model, *(f'./_base_/{x}.py' for x in (data, schedule))]
        path.write_text(f'_base_ = {bases!r}\n{body}')
        return Config.fromfile(path)

    return load


def rows():
    table = re.findall(r'^\| .* \|$', PAGE, re.M)[2:]
    return [re.findall(r'`([^`]+)`', row) for row in table]


@pytest.mark.parametrize('row', rows(), ids=lambda row: row[2])
def test_every_network_of_the_page_learns_from_scratch(
    row, own_config, folder
):
    model, data, backbone = row
    cfg = own_config(
        model,
        f'datasets/{Path(data).stem}',
        'schedules/scratch_100e',
        OTHER_FOLDER.replace('data/mine', str(folder / 'data/own')),
    )
    cfg.model.backbone.update(eval(f'dict({backbone})'))
    cfg.model.backbone.sgs = dict(preset='path', stage=0, num_bins=4, grid=2)
    cfg.model.cls_head.num_classes = 2
    if cfg.model.backbone.get('pretrained'):
        cfg.model.backbone.update(pretrained=None, pretrained2d=False)
    cfg.train_cfg.update(max_epochs=1)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=9)
    for loader in LOADERS:
        cfg[loader].update(
            num_workers=0, persistent_workers=False, batch_size=2
        )
        for step in cfg[loader].dataset.pipeline:
            if step['type'] in ('Resize', 'RandomRescale'):
                step.pop('scale_range', None)
                step.update(type='Resize', scale=(32, 32), keep_ratio=False)
            elif step['type'] == 'CenterCrop':
                step.crop_size = 32
            elif step['type'] == 'RandomCrop':
                step.size = 32
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.work_dir = str(folder / 'scratch')
    runner = Runner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2
    assert runner.model.backbone.lengths is not None
    changed = [
        name
        for name, value in runner.model.named_parameters()
        if not value.equal(before[name])
    ]
    assert any(name.startswith('cls_head') for name in changed)
    assert any(name.startswith('backbone') for name in changed)


@pytest.mark.parametrize(
    'files,options,match',
    [
        ({}, '', "'videos' is not a folder"),
        ({'a/x.txt': b''}, '', 'has no videos .*a folder for each class'),
        ({'x.mp4': b''}, '', r"'videos/x.mp4' belongs to no class; move it"),
        (
            {'a/x.mp4': b'', 'a/y.mp4': b''},
            '',
            "class 'a' has 0 readable videos, but needs at least 3",
        ),
        ({'a/x.mp4': b''}, '--val 0', '--val 0.0 and --test 0.15 must be'),
        ({'a/x\ny.mp4': b''}, '', 'has a line break in its name; rename it'),
    ],
)
def test_what_cannot_be_divided_is_named(tmp_path, files, options, match):
    for name, content in files.items():
        path = tmp_path / 'videos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    script = 'tools/data/make_lists.py'
    done = run_script(script, 'videos', *options.split(), cwd=tmp_path)
    assert done.returncode != 0
    assert re.search(match, done.stderr.splitlines()[-1]), done.stderr
    assert not (tmp_path / 'train.txt').exists()
