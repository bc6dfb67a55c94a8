"""Every config of the zoo: name, base, data, network, one training step."""

import functools
import json
import re
from pathlib import Path

import mmaction
import numpy as np
import pytest
import torch
import yaml
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from torch import nn

from mmatfr.apis import clip_shape, frames_of, load_config
from mmatfr.sgs import sgs_layers
from mmatfr.zoo.metafile import dataset_of

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(ROOT.glob('configs/recognition/*/*.py'))
# What each config samples by, whatever its options are called.
SAMPLING = json.loads(
    (ROOT / 'tests/data/sampling_of_configs.json').read_text()
)
THEIRS = Path(mmaction.__file__).parent / '.mim/configs/recognition'
# {algorithm}_{module}_{training}_{data}, see mmaction2's guide to configs;
# {gpus}xb{batch}-{frames}x{interval}x{clips}-{epochs}e-{more}.
NAME = re.compile(
    r'(?P<model>[a-z0-9_]+(?:-[a-z0-9-]+)?(?:_[a-z0-9-]+)?)'
    r'_(?P<gpus>\d+)xb(?P<batch>\d+)-(?:shuffled-)?'
    r'(?:(?P<frames>\d+)x(?P<interval>\d+)x(?P<clips>\d+)|u(?P<uniform>\d+))'
    r'-(?P<epochs>\d+)e(?:-alpha)?_(?P<data>[a-z0-9-]+)-rgb'
)


def by_name(paths):
    return pytest.mark.parametrize('path', paths, ids=lambda p: p.stem)


@functools.cache
def load(path):
    return load_config(str(path))


@functools.cache
def distinct_models():
    """The first of the configs with the same network and optimizer."""
    found = {}
    for path in CONFIGS:
        cfg = load(path)
        key = json.dumps(
            [cfg.model.to_dict(), cfg.optim_wrapper.to_dict()], sort_keys=True
        )
        found.setdefault(key, path)
    return list(found.values())


def frame_sampler(cfg):
    return next(
        t
        for t in cfg.train_dataloader.dataset.pipeline
        if t['type'] in ('SampleFrames', 'UniformSample')
    )


@by_name(CONFIGS)
def test_name_says_what_the_config_does(path):
    cfg = load(path)
    name = NAME.fullmatch(path.stem)
    assert name, 'not {algorithm}_{module}_{training}_{data}'
    assert cfg.train_dataloader.batch_size == int(name['batch'])
    assert cfg.train_cfg.max_epochs == int(name['epochs'])
    sampler = frame_sampler(cfg)
    if name['uniform']:
        assert sampler['clip_len'] == int(name['uniform'])
    else:
        frames, interval, clips = (
            int(name[key]) for key in ('frames', 'interval', 'clips')
        )
        taken = sampler['clip_len'], sampler.get('frame_interval', 1)
        rate = cfg.model.backbone.get('resample_rate')
        if rate and taken != (frames, interval):  # names the slow pathway
            taken = taken[0] // rate, taken[1] * rate
        assert taken == (frames, interval)
        # In the shortcut check one frame is taken in training.
        assert sampler.get('num_clips', 1) in (clips, 1)
    assert ('-atfr' in path.stem) == ('ATFR' in cfg.model.backbone.type)
    starts_from = cfg.get('load_from') or cfg.model.backbone.get('pretrained')
    if not (starts_from or '').startswith('work_dirs/'):
        assert ('pretrained' in path.stem) == bool(starts_from)


@by_name(CONFIGS)
def test_inherits_and_names_its_data(path):
    assert '_base_' in path.read_text()
    cfg = load(path)
    data = dataset_of(path.stem)
    classes = {
        'Kinetics-400': 400,
        'Kinetics-600': 600,
        'Mini-Kinetics': 200,
        'SthV2': 174,
        'UCF101': 101,
        'HMDB51': 51,
        'tempo': 12,
        'GRID': 4,
    }
    assert cfg.model.cls_head.num_classes == classes[data.split()[0]]
    folder = NAME.fullmatch(path.stem)['data'].split('-')
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        ann_file = f'{dataset.get("data_root", "")}/{dataset.ann_file}'
        assert f'data/{folder[0]}/' in ann_file
        if folder[-1].startswith('split'):
            assert f'split_{folder[-1][-1]}_' in ann_file
        assert dataset.get('test_mode', False) == (split != 'train')
        if split != 'train':
            assert all(t['type'] != 'Flip' for t in dataset.pipeline)
    if 'SthV2' in data or 'tempo' in data:  # left and right are classes
        flips = [
            t
            for t in cfg.train_dataloader.dataset.pipeline
            if t['type'] == 'Flip'
        ]
        assert not flips or data == 'SthV2' and 'flip_label_map' in flips[0]


@by_name([path for path in CONFIGS if load(path).get('load_from')])
def test_starts_from_weights_that_there_are(path, their_weights):
    """Weights of mmaction2, or of another config."""
    weights = load(path).load_from
    if weights in their_weights:
        return
    folder, name, epoch = weights.split('/')
    (source,) = ROOT.glob(f'configs/recognition/*/{name}.py')
    epochs = load(source).train_cfg.max_epochs
    assert (folder, epoch) == ('work_dirs', f'epoch_{epochs}.pth')


@pytest.fixture(scope='module')
def their_weights():
    return {
        entry.get('Weights')
        for metafile in THEIRS.glob('*/metafile.yml')
        for entry in yaml.safe_load(metafile.read_text())['Models']
    }


@by_name(CONFIGS)
def test_reads_clips_of_the_size_it_names(path, tempo, clips_of):
    cfg = load(path)
    video = str(next((tempo / 'videos/train').glob('*.mp4')))
    for split in ('train', 'test'):
        pipeline = cfg[f'{split}_dataloader'].dataset.pipeline
        inputs = clips_of(pipeline, video)
        _, frames, *size = clip_shape(cfg)
        is_2d = inputs.dim() == 4
        if frame_sampler(cfg)['clip_len'] > 1 or is_2d:
            assert inputs.shape[0 if is_2d else 2] % frames == 0
        if split == 'test':
            assert list(inputs.shape[-2:]) == size


@pytest.fixture(scope='module')
def clips_of():
    seen = {}

    def run(pipeline, video):
        pipeline = [dict(step) for step in pipeline]
        for step in pipeline:  # one view is enough
            if step.get('clip_len', 1) > 1:
                step['num_clips'] = 1
        key = json.dumps(pipeline, sort_keys=True, default=str)
        if key not in seen:
            data = Compose(pipeline)(
                dict(filename=video, label=0, start_index=0, modality='RGB')
            )
            seen[key] = data['inputs']
        return seen[key]

    return run


def sampling_of(model):
    """Returns the place and the options of each sampling layer."""
    return {
        '.'.join(filter(None, ['backbone', name, 'sgs'])): (
            f'stage={pathway.stage}, {pathway.layer.extra_repr()}'
        )
        for name, pathway in getattr(model.backbone, 'pathways', {}).items()
    }


@by_name(distinct_models())
def test_learns_from_a_batch(path, monkeypatch):
    """Forward and one training step, few frames and a small crop.

    Configs that differ only in their data share the network.
    """
    cfg = Config.fromfile(path)
    monkeypatch.setattr(MMLogger.get_current_instance(), 'disabled', True)
    torch.manual_seed(0)
    model = Runner.build_model(None, cfg.model)
    if cfg.model.backbone.get('pretrained') is None:  # nothing to download
        model.init_weights()
    segments = frames_of(model)
    shape = (1, 3, 16, 32, 32) if segments is None else (segments, 3, 32, 32)
    tasks = dict.fromkeys(cfg.model.cls_head.get('tasks', ()), 0)
    samples = [
        ActionDataSample(metainfo=dict(task_labels=tasks)).set_gt_label(label)
        for label in (0, 1)
    ]
    data = dict(
        inputs=[
            torch.from_numpy(
                np.random.default_rng(seed).integers(
                    0, 256, shape, dtype=np.uint8
                )
            )
            for seed in (0, 1)
        ],
        data_samples=samples,
    )
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # statistics of the one batch there is
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {k: v.clone() for k, v in model.named_parameters()}
    model.train()
    logs = model.train_step(data, optim_wrapper)
    assert torch.isfinite(logs['loss'])
    changed = [
        k for k, v in model.named_parameters() if not v.equal(before[k])
    ]
    assert any(k.startswith('backbone') for k in changed)
    assert any(k.startswith('cls_head') for k in changed)
    assert bool(sgs_layers(model)) == ('-atfr' in path.stem)
    assert sampling_of(model) == SAMPLING.get(path.stem, {})
    model.eval()
    with torch.no_grad():
        # One video: some configs limit how many views are tested at once.
        (predicted,) = model.test_step({k: v[:1] for k, v in data.items()})
    assert predicted.pred_score.shape == (cfg.model.cls_head.num_classes,)
    assert torch.isfinite(predicted.pred_score).all()
