"""Tiny recognizers with sampling."""

import copy

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

init_default_scope('mmaction')

NUM_FRAMES = 8
SIZE = 32
NUM_CLASSES = 5

X3D = dict(type='ATFRX3D', gamma_w=0.34, gamma_b=2.25, gamma_d=0.5)
R18 = dict(
    type='ATFRResNet3d',
    depth=18,
    pretrained=None,
    base_channels=8,
    stage_blocks=(1, 1, 1, 1),
    conv1_kernel=(3, 5, 5),
)
PATHWAY = dict(
    type='resnet3d', depth=18, pretrained=None, stage_blocks=(1, 1, 1, 1)
)
SLOWFAST = dict(
    type='ATFRResNet3dSlowFast',
    resample_rate=2,
    speed_ratio=2,
    channel_ratio=4,
    slow_pathway=dict(
        **PATHWAY,
        base_channels=16,
        lateral=True,
        conv1_kernel=(1, 5, 5),
        inflate=(0, 0, 1, 1),
    ),
    fast_pathway=dict(
        **PATHWAY, base_channels=4, lateral=False, conv1_kernel=(5, 5, 5)
    ),
)
TSM = dict(
    type='ATFRResNetTSM',
    depth=18,
    num_segments=NUM_FRAMES,
)


TASKS = dict(color=NUM_CLASSES, digit=3)


def make_config(backbone, **options):
    """The config of a recognizer around a backbone.

    With ``tasks`` the head has several.
    """
    backbone = copy.deepcopy(dict(backbone, **options))
    tasks = backbone.pop('tasks', None)
    is_2d = 'TSM' in backbone['type']
    built = MODELS.build(copy.deepcopy(backbone))
    built.eval()
    shape = (
        (NUM_FRAMES, 3, SIZE, SIZE)
        if is_2d
        else (1, 3, NUM_FRAMES, SIZE, SIZE)
    )
    with torch.no_grad():
        out = built(torch.zeros(shape))
    channels = (
        sum(x.shape[1] for x in out)
        if isinstance(out, tuple)
        else out.shape[1]
    )
    head = dict(num_classes=NUM_CLASSES, in_channels=channels)
    if is_2d:
        head.update(type='TSMHead', num_segments=NUM_FRAMES)
    elif 'X3D' in backbone['type']:
        head.update(type='X3DHead', fc1_bias=False)
    elif 'SlowFast' in backbone['type']:
        head.update(type='SlowFastHead')
    elif tasks:
        head.update(type='TemporalAttentionHead', tasks=tasks, task='color')
    else:
        head.update(type='I3DHead')
    clip = dict(type='SampleFrames', clip_len=NUM_FRAMES, frame_interval=2)
    if is_2d:
        clip = dict(type='SampleFrames', clip_len=1, num_clips=NUM_FRAMES)
    pipeline = [
        dict(type='DecordInit'),
        dict(clip, test_mode=True, **({} if is_2d else dict(num_clips=2))),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, SIZE)),
        dict(type='CenterCrop', crop_size=SIZE),
        dict(type='FormatShape', input_format='NCHW' if is_2d else 'NCTHW'),
        dict(type='PackActionInputs'),
    ]
    return Config(
        dict(
            model=dict(
                type='Recognizer2D' if is_2d else 'Recognizer3D',
                backbone=backbone,
                cls_head=dict(head, average_clips='prob'),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    mean=[110.0, 115.0, 120.0],
                    std=[55.0, 57.0, 60.0],
                    format_shape='NCHW' if is_2d else 'NCTHW',
                ),
            ),
            test_dataloader=dict(
                dataset=dict(type='VideoDataset', pipeline=pipeline)
            ),
        )
    )


def build(cfg, seed=0):
    """Builds a recognizer with nontrivial classes and normalization."""
    torch.manual_seed(seed)
    recognizer = MODELS.build(copy.deepcopy(cfg.model))
    for module in recognizer.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.3)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, std=0.3)
    recognizer.eval()
    recognizer.cfg = cfg
    recognizer.classes = [f'name {i}' for i in range(NUM_CLASSES)]
    return recognizer
