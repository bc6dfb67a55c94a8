"""Gains of a network from steps, and heads fitted to them."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from small_recognizers import PREPROCESSOR
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mmatfr.apis.sensitivity import find_gains, fit_similarity
from mmatfr.models import TemporalAttentionHead
from mmatfr.sgs import equal_groups

NAME = 'backbone.sgs'


STAGE = dict(
    depth=18,
    pretrained=None,
    stage_blocks=(1,),
    num_stages=1,
    out_indices=(0,),
    spatial_strides=(1,),
    temporal_strides=(1,),
    dilations=(1,),
    conv1_kernel=(1, 3, 3),
    with_pool2=False,
)


def build(backbone, **head):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=backbone,
            cls_head=dict(
                num_classes=5,
                dropout_ratio=0.0,
                average_clips='prob',
                **head,
            ),
            data_preprocessor=PREPROCESSOR,
        )
    ).eval()


def make_recognizer(**sgs):
    backbone = dict(
        STAGE,
        type='ATFRResNet3d',
        pretrained2d=False,
        base_channels=4,
        inflate=(1,),
        inflate_style='3x3x3',
        sgs=dict(stage=0, embedding='identity', grid=2, **sgs),
    )
    return build(backbone, type='I3DHead', in_channels=4)


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
def test_gains_are_those_of_clips_that_stop_and_start(clips, execution):
    """The stem is spatial, so freezing its input is equivalent."""
    recognizer = make_recognizer(similarity='path')
    recognizer.backbone.execution = execution
    (steps,) = find_gains(recognizer, make_batch(clips)).values()
    assert steps.features.shape == (6, 6, 4 * 2 * 2)
    # The same weights, with every frame a group of its own.
    recognizer = make_recognizer(similarity='path')
    recognizer.backbone.sgs.binning = lambda m: equal_groups(m, m.shape[1])

    def score(times):
        clip = make_batch([clips[1, :, times]])
        data = recognizer.data_preprocessor(clip, False)
        with torch.no_grad():
            return recognizer(**data, mode='tensor', stage='head')[0]

    times = torch.arange(6)
    label = score(times).argmax()
    until, since = (
        torch.stack([margin[label] - margin.mean() for margin in scores])
        for scores in (
            [score(times.clamp(max=t)) for t in times],
            [score(times.clamp(min=t)) for t in times],
        )
    )
    gain = until.diff().relu() + (-since.diff()).relu()
    assert gain.max() > 0.01
    assert torch.allclose(steps.gain[1], gain, atol=1e-4)


def test_layers_of_fewer_frames_stop_at_the_same_time(clips):
    sgs = dict(stage=0, embedding='identity', similarity='path')
    pathway = dict(STAGE, type='resnet3d')
    backbone = dict(
        type='ATFRResNet3dSlowFast',
        resample_rate=4,
        speed_ratio=2,
        channel_ratio=4,
        slow_pathway=dict(
            pathway, base_channels=16, lateral=True, inflate=(0,)
        ),
        fast_pathway=dict(
            pathway, base_channels=4, lateral=False, inflate=(1,)
        ),
        sgs=dict(slow_path=sgs, fast_path=sgs),
    )
    recognizer = build(backbone, type='SlowFastHead', in_channels=20)
    # Of twelve frames the slow pathway has three, the fast one six.
    clips = clips.repeat_interleave(2, dim=2)
    clips[:, :, 6:] = clips[:, :, 5:6]
    slow, fast = find_gains(recognizer, make_batch(clips)).values()
    assert slow.gain.shape == (6, 2) and fast.gain.shape == (6, 5)
    assert (fast.gain[:, :2].amax(dim=1) > 1e-3).all()
    assert fast.gain[:, 2:].abs().max() < 1e-5


def test_gains_of_several_tasks_count_together(clips):
    tasks = dict(color=5, digit=10)
    recognizer = make_recognizer(similarity='path')
    recognizer.backbone.readout = 'frames'
    recognizer.cls_head = TemporalAttentionHead(
        num_classes=5, in_channels=4, tasks=tasks, task='color', init_std=3.0
    ).eval()
    recognizer.cls_head.init_weights()
    own = recognizer.cls_head.score_tasks

    def margins(last):
        """Of the clips up to a frame, for what is seen in all of them."""
        x = recognizer.backbone(clips[:, :, torch.arange(6).clamp(max=last)])
        return sum(
            scores.gather(1, labels[name]).squeeze(1) - scores.mean(dim=1)
            for name, scores in own(x).items()
        )

    recognizer.data_preprocessor.mean.zero_()
    recognizer.data_preprocessor.std.fill_(1)
    recognizer.backbone.sgs.binning = lambda m: equal_groups(m, m.shape[1])
    with torch.no_grad():
        labels = {
            name: scores.argmax(dim=1, keepdim=True)
            for name, scores in own(recognizer.backbone(clips)).items()
        }
        until = torch.stack([margins(last) for last in range(6)], dim=1)
    (steps,) = find_gains(recognizer, make_batch(clips)).values()
    # A gain is a difference, and rounded as much as the scores.
    rounding = 1e-5 * float(until.abs().max())
    assert until.diff().max() > 100 * rounding
    # The other part is not negative.
    assert (steps.gain > until.diff().relu() - rounding).all()
    alone = find_gains(recognizer, make_batch(clips[:1]))[NAME]
    torch.testing.assert_close(
        alone.gain[0], steps.gain[0], rtol=1e-4, atol=rounding
    )


def test_needs_no_label_and_leaves_no_trace(clips):
    recognizer = make_recognizer(similarity='path')
    layer = recognizer.backbone.sgs
    before = copy.deepcopy(recognizer.state_dict())
    binning = layer.binning
    one = find_gains(recognizer, make_batch(clips, 0))[NAME]
    other = find_gains(recognizer, make_batch(clips, 3))[NAME]
    assert torch.equal(one.gain, other.gain)
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
        recognizer, [make_batch(clips[:3]), make_batch(clips[3:])], epochs=100
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
    assert fit_similarity(recognizer, both, epochs=100)[NAME] > 0.5
    recognizer.test_step(make_batch(clips))
    steps = recognizer.backbone.sgs.magnitude.diff(dim=1)
    assert steps.sum(dim=1).mean() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize('where', ['clip', 'weight'])
def test_batch_that_is_not_finite_is_named_and_spares_the_head(clips, where):
    recognizer = make_recognizer(similarity='learned_path')
    batches = [make_batch(clips[:2]), make_batch(clips[2:])]
    if where == 'clip':
        clips[3, 0, 2, 1, 1] = float('nan')
    else:
        recognizer.cls_head.fc_cls.weight.data[0] = float('inf')
    before = copy.deepcopy(recognizer.state_dict())
    number = 1 if where == 'clip' else 0
    with pytest.raises(
        ValueError, match=f'{NAME} of batch {number} .* are not finite'
    ):
        fit_similarity(recognizer, batches)
    for name, value in recognizer.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    ('frames', 'border'), [(1, 0), (2, 0), (3, 1), (4, 1)]
)
def test_one_step_cannot_be_compared(clips, frames, border):
    recognizer = make_recognizer(similarity='learned_path', border=border)
    inner = frames - 2 * border
    with pytest.raises(ValueError, match=f'{NAME} sees {inner} of the frames'):
        fit_similarity(recognizer, [make_batch(clips[:, :, :frames])])


@pytest.mark.parametrize('scores', ['constant', 'of one step'])
def test_equal_gains_teach_nothing(clips, scores):
    recognizer = make_recognizer(similarity='learned_path')
    if scores == 'constant':
        recognizer.cls_head.fc_cls.weight.data.zero_()
    else:
        clips[:, :, :3], clips[:, :, 3:] = clips[:, :, :1], clips[:, :, 5:]
    with pytest.raises(ValueError, match='nothing, or the same, .* 6 clips'):
        fit_similarity(recognizer, [make_batch(clips)])


def test_clips_have_one_length(clips):
    recognizer = make_recognizer(similarity='learned_path')
    batches = [make_batch(clips), make_batch(clips[:, :, :5])]
    with pytest.raises(ValueError, match='batch 1 have 5 frames .* have 6'):
        fit_similarity(recognizer, batches)


def test_modules_return_to_their_own_modes(clips):
    recognizer = make_recognizer(similarity='learned_path').train()
    recognizer.backbone.layer1.eval()
    before = {name: x.training for name, x in recognizer.named_modules()}
    assert len(set(before.values())) == 2
    fit_similarity(recognizer, [make_batch(clips)], epochs=1)
    after = {name: x.training for name, x in recognizer.named_modules()}
    assert after == before


def test_an_interrupt_leaves_no_head_that_trains(clips):
    def interrupt(*args):
        raise KeyboardInterrupt

    recognizer = make_recognizer(
        similarity='learned_path', magnitude_grad=False
    )
    handle = register_optimizer_step_pre_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit_similarity(recognizer, [make_batch(clips)])
    finally:
        handle.remove()
    for parameter in recognizer.backbone.sgs.similarity.parameters():
        assert not parameter.requires_grad and parameter.grad is None


def test_there_has_to_be_a_batch():
    recognizer = make_recognizer(similarity='learned_path')
    with pytest.raises(ValueError, match='no batch of clips.* drop_last=True'):
        fit_similarity(recognizer, iter([]))


def test_says_that_there_is_nothing_to_fit(clips):
    recognizer = make_recognizer(similarity='path')
    with pytest.raises(ValueError, match="similarity='learned_path'"):
        fit_similarity(recognizer, [make_batch(clips)])
