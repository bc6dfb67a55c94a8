"""What a network makes of steps, and heads fitted to it."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from mmatfr.engine.sensitivity import find_sensitivities, fit_similarity

NAME = 'backbone.sgs'


def make_recognizer(**sgs):
    torch.manual_seed(0)
    sgs = dict(stage=0, embedding='identity', grid=2, **sgs)
    return MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(
                type='ATFRResNet3d',
                depth=18,
                pretrained=None,
                pretrained2d=False,
                stage_blocks=(1,),
                num_stages=1,
                out_indices=(0,),
                spatial_strides=(1,),
                temporal_strides=(1,),
                dilations=(1,),
                base_channels=4,
                conv1_kernel=(1, 3, 3),
                inflate=(1,),
                inflate_style='3x3x3',
                with_pool2=False,
                sgs=sgs,
            ),
            cls_head=dict(
                type='I3DHead',
                in_channels=4,
                num_classes=5,
                dropout_ratio=0.0,
                average_clips='prob',
            ),
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=[114.75] * 3,
                std=[57.38] * 3,
                format_shape='NCTHW',
            ),
        )
    ).eval()


def make_batch(clips, label=0):
    return dict(
        inputs=[clip[None] for clip in clips],
        data_samples=[
            ActionDataSample().set_gt_label(label) for _ in range(len(clips))
        ],
    )


@pytest.fixture
def clips():
    generator = torch.Generator().manual_seed(0)
    shape = (6, 3, 6, 16, 16)
    return torch.randint(256, shape, generator=generator).float()


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
def test_is_the_change_of_the_loss_along_the_step(clips, execution):
    recognizer = make_recognizer(similarity='path')
    recognizer.backbone.execution = execution
    (steps,) = find_sensitivities(recognizer, make_batch(clips)).values()
    assert steps.features.shape == (6, 6, 4 * 2 * 2)
    assert steps.sensitivity.shape == (6, 5)
    # By differences: frame 3 of clip 1 goes on in the direction it came from.
    recognizer.double()
    layer, x, moved = recognizer.backbone.sgs, None, None

    def move(module, args):
        nonlocal x
        x = args[0]
        return (x if moved is None else x + moved,)

    layer.binning = lambda m: every_frame(m)
    layer.register_forward_pre_hook(move)
    data = recognizer.data_preprocessor(make_batch(clips[1:2]), False)
    data['inputs'] = data['inputs'].double()

    def scores():
        with torch.no_grad():
            return recognizer(**data, mode='tensor', stage='head')

    label = scores().argmax(dim=1)
    step = x[:, :, 3] - x[:, :, 2]
    change = 0.0
    for sign in (1, -1):
        moved = torch.zeros_like(x)
        moved[:, :, 3] = sign * 1e-4 * step
        change += sign * F.cross_entropy(scores(), label)
    assert steps.sensitivity[1, 2].item() == pytest.approx(
        abs(change.item()) / 2e-4, rel=1e-3
    )


def every_frame(magnitude):
    from mmatfr.sgs import equal_groups

    return equal_groups(magnitude, magnitude.shape[1])


def test_needs_no_label_and_leaves_no_trace(clips):
    recognizer = make_recognizer(similarity='path')
    layer = recognizer.backbone.sgs
    before = copy.deepcopy(recognizer.state_dict())
    binning = layer.binning
    one = find_sensitivities(recognizer, make_batch(clips, 0))[NAME]
    other = find_sensitivities(recognizer, make_batch(clips, 3))[NAME]
    assert torch.equal(one.sensitivity, other.sensitivity)
    assert layer.binning is binning and not layer._forward_pre_hooks
    for name, value in recognizer.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None for p in recognizer.parameters())


def test_fits_the_head_and_nothing_else(clips):
    recognizer = make_recognizer(similarity='learned_path').train()
    # Where nothing changes there is nothing to be made of it.
    clips[:, :, 3:] = clips[:, :, 3:4] + 3 * torch.randn(6, 3, 3, 16, 16)
    before = copy.deepcopy(recognizer.state_dict())
    torch.manual_seed(0)
    explained = fit_similarity(
        recognizer, [make_batch(clips[:3]), make_batch(clips[3:])], epochs=40
    )
    assert list(explained) == [NAME] and 0.7 < explained[NAME] <= 1
    for name, value in recognizer.state_dict().items():
        same = torch.equal(value, before[name])
        assert same != name.startswith(f'{NAME}.similarity'), name
    assert recognizer.training
    layer = recognizer.eval().backbone.sgs
    recognizer.test_step(make_batch(clips))
    steps = layer.magnitude.diff(dim=1)
    assert steps[:, :3].mean() > 5 * steps[:, 3:].mean()
    assert steps.sum(dim=1).mean() == pytest.approx(1, abs=0.2)  # shares


def test_still_clips_teach_nothing(clips):
    recognizer = make_recognizer(similarity='learned_path')
    still = clips[:, :, :1].expand_as(clips)
    with pytest.raises(ValueError, match='all 6 clips are still'):
        fit_similarity(recognizer, [make_batch(still)])
    torch.manual_seed(0)
    both = [make_batch(still), make_batch(clips)]
    assert fit_similarity(recognizer, both, epochs=40)[NAME] > 0.5
    recognizer.test_step(make_batch(clips))
    steps = recognizer.backbone.sgs.magnitude.diff(dim=1)
    assert steps.sum(dim=1).mean() == pytest.approx(1, abs=0.2)


def test_says_that_there_is_nothing_to_fit(clips):
    recognizer = make_recognizer(similarity='path')
    with pytest.raises(ValueError, match="similarity='learned_path'"):
        fit_similarity(recognizer, [make_batch(clips)])
