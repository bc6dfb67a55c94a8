"""Imports mmatfr first, which fixes defects of released wheels."""

import os

# For the small networks of the tests, more threads cost more than they save.
os.environ.setdefault('OMP_NUM_THREADS', '1')
# Tests with two threads wait for each other while another worker runs.
os.environ.setdefault('OMP_WAIT_POLICY', 'passive')

import mmatfr  # noqa: F401  isort: skip
import copy
import gc
import resource
from contextlib import contextmanager
from functools import cache

import pytest
import torch
from hypothesis import settings
from mmengine.config import Config, config, utils
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from small_recognizers import x3d

from mmatfr.apis import build_recognizer, load_config
from mmatfr.datasets.tempo import Tempo, write_tempo

init_default_scope('mmaction')
# Most of the time of a short training: every runner formats its config with
# yapf four times and collects garbage, and every config with a base of
# mmaction2 reads all of its metafiles.
config.FormatCode = lambda text, **style: (text, True)
utils.load = cache(utils.load)
gc.freeze()
settings.register_profile(
    'ci', max_examples=40, deadline=None, derandomize=True
)
settings.register_profile('fuzz', max_examples=2000, deadline=None)
settings.load_profile('ci')
ENDINGS = ('py', 'pth')
EPOCHS = dict(by_epoch=True, max_epochs=1, val_begin=2)


@pytest.fixture(scope='session')
def tempo(tmp_path_factory):
    """Folder of a data set of 24, 12 and 12 clips; read only."""
    folder = tmp_path_factory.mktemp('tempo') / 'data'
    for _ in write_tempo(folder, Tempo(train=24, val=12, test=12)):
        pass
    return folder


@pytest.fixture(scope='session')
def write_trained(tempo, tmp_path_factory):
    """Writes a config for `tempo` and a checkpoint as from training."""
    folder = tmp_path_factory.mktemp('trained')

    def write(path):
        config, weights = (folder / f'{path.stem}.{end}' for end in ENDINGS)
        if config.exists():
            return str(config), str(weights)
        cfg = Config.fromfile(path)
        cfg.load_from = None
        for split in ('train', 'val', 'test'):
            loader = cfg[f'{split}_dataloader']
            loader.num_workers, loader.persistent_workers = 0, False
            loader.dataset.data_root = str(tempo)
            loader.dataset.metainfo.classes = str(tempo / 'classes.txt')
        cfg.dump(config)
        torch.manual_seed(0)
        model = build_recognizer(load_config(str(config)).model)
        torch.save(dict(state_dict=model.state_dict()), weights)
        return str(config), str(weights)

    return write


@pytest.fixture
def full_disk():
    """Limits the size of files in a context, as on a full disk.

    Pytest itself may write to a file before a fixture ends.
    """

    @contextmanager
    def limit(size):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@pytest.fixture
def build_runner(tempo, tmp_path):
    """Builds mmengine's runner for a small recognizer on `tempo`.

    It takes clips of 8 frames of 32x32; keyword arguments override the config.
    """
    built = []
    # For this small network, more threads cost more than they save.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def build(
        sgs=None,
        num_classes=12,
        num_clips=1,
        hooks=(),
        metrics=(),
        train_cfg=(),
        head=None,
        ann_file='{}.txt',
        optim_wrapper=(),
        **config,
    ):
        model = x3d(num_classes, **({} if sgs is None else dict(sgs=sgs)))
        if head is not None:
            model['cls_head'] = head

        def dataloader(split):
            test_mode = split != 'train'
            return dict(
                batch_size=8,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=not test_mode),
                dataset=dict(
                    type='CheckedVideoDataset',
                    data_root=str(tempo),
                    data_prefix=dict(video='videos'),
                    ann_file=ann_file.format(split),
                    test_mode=test_mode,
                    pipeline=[
                        dict(type='DecordInit'),
                        dict(
                            type='SampleFrames',
                            clip_len=8,
                            frame_interval=2,
                            num_clips=num_clips if test_mode else 1,
                            test_mode=test_mode,
                        ),
                        dict(type='DecordDecode'),
                        dict(type='CenterCrop', crop_size=32),
                        dict(type='FormatShape', input_format='NCTHW'),
                        dict(type='PackActionInputs'),
                    ],
                ),
            )

        evaluator = [
            dict(type=metric) if isinstance(metric, str) else metric
            for metric in metrics
        ]
        built.append(f'{tmp_path.name}-{len(built)}')
        return Runner.from_cfg(
            dict(
                model=model,
                work_dir=str(tmp_path / 'work_dir'),
                experiment_name=built[-1],
                default_scope='mmaction',
                log_level='WARNING',
                randomness=dict(seed=0),
                train_dataloader=dataloader('train'),
                val_dataloader=dataloader('val'),
                test_dataloader=dataloader('test'),
                train_cfg=(
                    dict(train_cfg)
                    if 'max_iters' in dict(train_cfg)
                    else {**EPOCHS, **dict(train_cfg)}
                ),
                val_cfg=dict(),
                test_cfg=dict(),
                optim_wrapper=dict(
                    optimizer=dict(type='SGD', lr=0.01), **dict(optim_wrapper)
                ),
                val_evaluator=copy.deepcopy(evaluator),
                test_evaluator=copy.deepcopy(evaluator),
                custom_hooks=[
                    dict(type=hook) if isinstance(hook, str) else hook
                    for hook in hooks
                ],
                **config,
            )
        )

    yield build
    torch.set_num_threads(threads)
