"""Views and clips of a video for a recognizer."""

import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose

from mmatfr.apis import (
    clip_shape,
    first_view,
    iter_clips,
    num_views,
    read_clips,
    with_crop,
)


@pytest.mark.parametrize(
    'sampling,crop,shape',
    [
        (dict(clip_len=8, num_clips=2), 'ThreeCrop', 'NCTHW'),
        (dict(clip_len=8, num_clips=2), 'TenCrop', 'NCTHW'),
        (dict(clip_len=8, num_clips=2), 'CenterCrop', 'NCTHW'),
        (dict(clip_len=1, num_clips=8), 'TenCrop', 'NCHW'),
        (
            dict(clip_len=8, num_clips=2, twice_sample=True),
            'CenterCrop',
            'NCTHW',
        ),
        (
            dict(clip_len=1, num_clips=8, twice_sample=True),
            'ThreeCrop',
            'NCHW',
        ),
        (
            dict(clip_len=1, num_clips=8, twice_sample=True, test_mode=False),
            'CenterCrop',
            'NCHW',
        ),
        (
            dict(type='DenseSampleFrames', clip_len=1, num_clips=8),
            'CenterCrop',
            'NCHW',
        ),
        (
            dict(
                type='DenseSampleFrames',
                clip_len=8,
                num_clips=2,
                num_sample_positions=3,
            ),
            'CenterCrop',
            'NCTHW',
        ),
    ],
)
def test_counts_the_views_of_a_pipeline(tempo, sampling, crop, shape):
    pipeline = [
        dict(type='DecordInit'),
        {'type': 'SampleFrames', 'test_mode': True, **sampling},
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 32)),
        dict(type=crop, crop_size=32),
        dict(type='FormatShape', input_format=shape),
        dict(type='PackActionInputs'),
    ]
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=pipeline))))
    video = next((tempo / 'videos/test').glob('*.mp4'))
    inputs = Compose(pipeline)(
        dict(filename=str(video), label=0, start_index=0, modality='RGB')
    )['inputs']
    frames = 1 if shape == 'NCTHW' else 8
    assert num_views(cfg) == len(inputs) // frames


PIPELINE = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, num_clips=2, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 48)),
    dict(type='ThreeCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


def make_config(pipeline):
    return Config(
        dict(
            model=dict(
                type='Recognizer3D', backbone=dict(type='X3D'), cls_head={}
            ),
            test_dataloader=dict(dataset=dict(pipeline=pipeline)),
        )
    )


@pytest.mark.parametrize(
    'type_of',
    [TRANSFORMS.get, lambda name: f'mmaction.{name}'],
    ids=['class', 'scope'],
)
def test_types_may_be_classes_and_have_scopes(type_of, tempo):
    video = str(next((tempo / 'videos/test').glob('*.mp4')))
    expected = make_config(PIPELINE)
    cfg = make_config(
        [dict(step, type=type_of(step['type'])) for step in PIPELINE]
    )
    assert clip_shape(cfg) == clip_shape(expected) == (3, 8, 32, 32)
    assert num_views(cfg) == num_views(expected) == 6
    for clip, other in zip(
        iter_clips(cfg, video), iter_clips(expected, video), strict=True
    ):
        assert clip['inputs'].equal(other['inputs'])


@pytest.mark.parametrize(
    'steps',
    [
        [
            dict(type='Resize', scale=(112, 80), keep_ratio=False),
            dict(type='CenterCrop', crop_size=(96, 64)),
        ],
        [
            dict(type='Resize', scale=(112, 64), keep_ratio=False),
            dict(type='ThreeCrop', crop_size=(96, 64)),
        ],
        [
            dict(type='Resize', scale=(112, 80), keep_ratio=False),
            dict(type='TenCrop', crop_size=(96, 64)),
        ],
        [dict(type='Resize', scale=(96, 64), keep_ratio=False)],
    ],
    ids=lambda steps: steps[-1]['type'],
)
def test_shape_is_that_of_the_clips(steps, tempo):
    video = str(next((tempo / 'videos/test').glob('*.mp4')))
    cfg = make_config([*PIPELINE[:3], *steps, *PIPELINE[5:]])
    shape = (3, 8, 64, 96)
    assert (
        clip_shape(cfg) == shape == read_clips(cfg, video)['inputs'][0].shape
    )
    cfg, shape = with_crop(cfg, (48, 32)), (3, 8, 48, 32)
    assert (
        clip_shape(cfg) == shape == read_clips(cfg, video)['inputs'][0].shape
    )


@pytest.mark.parametrize(
    'kept, reason',
    [
        (PIPELINE[:4] + PIPELINE[5:], 'size of frames; add CenterCrop'),
        (PIPELINE[2:], 'number of frames of a clip; add SampleFrames'),
    ],
)
def test_says_what_a_pipeline_does_not_define(kept, reason):
    with pytest.raises(ValueError, match=reason):
        clip_shape(make_config(kept))


@pytest.mark.parametrize(
    'shape', [(8, 32), (8, 0, 32), 8, (8, 32, 'a'), (True, 32, 32)]
)
def test_size_of_a_clip_is_checked(shape):
    cfg = Config(dict(model=dict(backbone=dict(type='X3D'))))
    with pytest.raises(ValueError, match='three positive integers'):
        clip_shape(cfg, shape)
    assert clip_shape(cfg, [8, 32, 48]) == (3, 8, 32, 48)


@pytest.mark.parametrize('to_rgb', [False, True])
@pytest.mark.parametrize('dimensions', [2, 3])
def test_picture_is_what_the_network_sees(dimensions, to_rgb):
    if dimensions == 3:
        backbone = dict(type='ATFRX3D', gamma_b=2.25, sgs=dict(stage=1))
        inputs = torch.randint(0, 256, (2, 3, 4, 32, 32), dtype=torch.uint8)
    else:
        backbone = dict(type='ATFRResNetTSM', depth=18, num_segments=4)
        backbone['sgs'] = dict(stage=1)
        inputs = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    recognizer = MODELS.build(
        dict(
            type=f'Recognizer{dimensions}D',
            backbone=backbone,
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                to_rgb=to_rgb,
                mean=[0.0] * 3,
                std=[1.0] * 3,
                format_shape='NCTHW' if dimensions == 3 else 'NCHW',
            ),
        )
    )
    batch = dict(inputs=[inputs], data_samples=None)
    seen = recognizer.data_preprocessor(batch)['inputs'][0]
    if dimensions == 2:
        seen = seen.unflatten(0, (2, 4)).transpose(1, 2)
    for view in range(2):
        clip = first_view(recognizer, inputs, view)
        assert torch.equal(clip.float(), seen[view])
