"""Backbones with adaptive resolution in mmaction2's recognizers."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.dataset import Compose, pseudo_collate
from mmengine.runner import Runner
from small_recognizers import PREPROCESSOR


def resnet3d(**options):
    return dict(
        type='Recognizer3D',
        backbone=dict(
            type='ATFRResNet3d',
            depth=18,
            pretrained=None,
            base_channels=8,
            with_pool2=False,
            sgs=dict(stage=1),
            **options,
        ),
        cls_head=dict(
            type='I3DHead',
            in_channels=64,
            num_classes=12,
            average_clips='prob',
        ),
        data_preprocessor=PREPROCESSOR,
    )


def slowfast():
    pathway = dict(type='resnet3d', depth=18, pretrained=None)
    return dict(
        type='Recognizer3D',
        backbone=dict(
            type='ATFRResNet3dSlowFast',
            resample_rate=4,
            speed_ratio=4,
            slow_pathway=dict(
                **pathway,
                base_channels=16,
                lateral=True,
                conv1_kernel=(1, 7, 7),
                inflate=(0, 0, 1, 1),
            ),
            fast_pathway=dict(
                **pathway,
                base_channels=2,
                lateral=False,
                conv1_kernel=(5, 7, 7),
            ),
            sgs=dict(stage=1),
        ),
        cls_head=dict(
            type='SlowFastHead',
            in_channels=144,
            num_classes=12,
            average_clips='prob',
        ),
        data_preprocessor=PREPROCESSOR,
    )


def tpn():
    """mmaction2's TPN on SlowOnly, at an eighth of the width."""
    return dict(
        type='Recognizer3D',
        backbone=dict(
            type='ATFRResNet3dSlowOnly',
            depth=50,
            pretrained=None,
            base_channels=8,
            stage_blocks=(1, 1, 1, 1),
            out_indices=(2, 3),
            sgs=dict(stage=1),
            readout='frames',
        ),
        neck=dict(
            type='TPN',
            in_channels=(128, 256),
            out_channels=128,
            spatial_modulation_cfg=dict(
                in_channels=(128, 256), out_channels=256
            ),
            temporal_modulation_cfg=dict(downsample_scales=(8, 8)),
            upsample_cfg=dict(scale_factor=(1, 1, 1)),
            downsample_cfg=dict(downsample_scale=(1, 1, 1)),
            level_fusion_cfg=dict(
                in_channels=(128, 128),
                mid_channels=(128, 128),
                out_channels=256,
                downsample_scales=((1, 1, 1), (1, 1, 1)),
            ),
            aux_head_cfg=dict(out_channels=12, loss_weight=0.5),
        ),
        cls_head=dict(
            type='TPNHead',
            num_classes=12,
            in_channels=2048,  # whatever the out_channels of the fusion
            spatial_type='avg',
            consensus=dict(type='AvgConsensus', dim=1),
            average_clips='prob',
        ),
        data_preprocessor=PREPROCESSOR,
        test_cfg=dict(fcn_test=True),
    )


def load(tempo, split, **sampling):
    """Batch of the first videos of a list, as from a data loader."""
    pipeline = Compose(
        [
            dict(type='DecordInit'),
            dict(type='SampleFrames', **sampling),
            dict(type='DecordDecode'),
            dict(type='Resize', scale=(-1, 48)),
            dict(type='ThreeCrop', crop_size=48),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs'),
        ]
    )
    samples = []
    for line in (tempo / f'{split}.txt').read_text().splitlines()[:3]:
        name, label = line.split()
        samples.append(
            pipeline(
                dict(
                    filename=str(tempo / 'videos' / name),
                    label=int(label),
                    start_index=0,
                    modality='RGB',
                )
            )
        )
    return samples


@torch.no_grad()
def predict(model, samples):
    """Tests a batch like mmengine's runner, which changes it in place."""
    return model.test_step(pseudo_collate(copy.deepcopy(samples)))


@pytest.mark.parametrize('recognizer', [resnet3d, slowfast])
def test_multi_view_scores_whatever_max_testing_views(tempo, recognizer):
    """Ten clips of three crops, at once and in parts."""
    torch.manual_seed(0)
    model = MODELS.build(recognizer())
    model.init_weights()
    model.eval()
    sample, *_ = load(
        tempo, 'test', clip_len=8, frame_interval=2, num_clips=10
    )
    assert sample['inputs'].shape[0] == 30
    scores = []
    for max_testing_views in (None, 30, 7, 1):
        model.test_cfg = dict(max_testing_views=max_testing_views)
        (result,) = predict(model, [sample])
        scores.append(result.pred_score)
    for other in scores[1:]:
        torch.testing.assert_close(other, scores[0], rtol=1e-5, atol=1e-7)


def test_tpn_takes_a_map_for_each_frame(tempo):
    torch.manual_seed(0)
    model = MODELS.build(tpn())
    model.init_weights()
    plain = tpn()
    plain['backbone']['type'] = 'ResNet3dSlowOnly'
    del plain['backbone']['sgs'], plain['backbone']['readout']
    plain = MODELS.build(plain)
    samples = load(tempo, 'test', clip_len=8, frame_interval=2, num_clips=1)
    x = torch.stack([sample['inputs'][0] for sample in samples]).float()
    with torch.no_grad():
        assert [out.shape for out in model.backbone(x)] == [
            out.shape for out in plain.backbone(x)
        ]

    model.eval()
    together = predict(model, samples)
    for sample, result in zip(samples, together, strict=True):
        (alone,) = predict(model, [sample])
        torch.testing.assert_close(
            alone.pred_score, result.pred_score, rtol=1e-5, atol=1e-7
        )

    model.train()
    for sample in samples:
        sample['inputs'] = sample['inputs'][:1]  # training sees one view
    data = model.data_preprocessor(pseudo_collate(samples), training=True)
    losses = model(**data, mode='loss')
    assert 'loss_aux' in losses
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    for name, parameter in model.named_parameters():
        if 'new_cls' in name:  # TPNHead's copy of its weights for testing
            continue
        assert parameter.grad.isfinite().all(), name


def test_trains_in_mmengines_runner(build_runner):
    """The optimizer updates every parameter, including those of the layer."""
    runner = build_runner(sgs=dict(stage=1))
    before = copy.deepcopy(runner.model.state_dict())
    assert isinstance(runner, Runner)
    runner.train()
    layer = runner.model.backbone.sgs
    assert not layer.fc1.weight.equal(before['backbone.sgs.fc1.weight'])
    assert not layer.bn.weight.equal(before['backbone.sgs.bn.weight'])
