"""Several tasks, each with its attention over time."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from mmatfr.models import TemporalAttentionHead

TASKS = dict(color=3, digit=5)
LABELS = [dict(color=0, digit=4), dict(color=2, digit=1)]


def make_head(**options):
    torch.manual_seed(0)
    head = TemporalAttentionHead(
        **dict(
            dict(
                num_classes=3,
                in_channels=6,
                tasks=TASKS,
                task='color',
                average_clips='prob',
            ),
            **options,
        )
    )
    # Attention that differs from the mean.
    torch.nn.init.normal_(head.attention.weight, std=3)
    return head


def make_samples(labels=LABELS):
    return [
        ActionDataSample(metainfo=dict(task_labels=own)).set_gt_label(
            own['color']
        )
        for own in labels
    ]


def test_scores_are_those_of_the_attended_frames():
    head = make_head().eval()
    x = torch.rand(2, 6, 8, 3, 4)
    scores = head.score_tasks(x)
    frames = x.mean(dim=(3, 4)).transpose(1, 2)
    for place, name in enumerate(TASKS):
        weight, bias = head.attention.weight[place, :, 0], head.attention.bias
        attention = (frames @ weight + bias[place]).softmax(dim=1)
        assert attention.max() > 2 / 8
        mean = (attention[..., None] * frames).sum(dim=1)
        torch.testing.assert_close(scores[name], head.fc_cls[name](mean))
    assert torch.equal(head(x), scores['color'])
    assert list(head.score_tasks(x, 'digit')) == ['digit']


def test_a_frame_that_stands_out_decides_however_long_the_clip():
    """What a mean over time cannot do."""
    head = make_head().eval()
    head.attention.weight.data.zero_()
    head.attention.weight.data[0, 0] = 40
    x = torch.rand(1, 6, 75, 2, 2)
    x[:, 0] *= 0.1
    x[:, 0, 30] = 1
    expected = head.fc_cls['color'](x[:, :, 30].mean(dim=(2, 3)))
    torch.testing.assert_close(head(x), expected)


def test_losses_of_all_tasks_are_added():
    head = make_head(dropout_ratio=0.0)
    x = torch.rand(2, 6, 8, 3, 4)
    losses = head.loss(x, make_samples())
    scores = head.score_tasks(x)
    for name in TASKS:
        expected = F.cross_entropy(
            scores[name], torch.tensor([own[name] for own in LABELS])
        )
        torch.testing.assert_close(losses[f'loss_{name}'], expected)
    assert {key for key in losses if 'loss' in key} == {
        'loss_color',
        'loss_digit',
    }
    sum(losses[f'loss_{name}'] for name in TASKS).backward()
    for name, parameter in head.named_parameters():
        # A bias of the attention adds the same to all frames.
        if name != 'attention.bias':
            assert parameter.grad.abs().max() > 1e-4, name


@pytest.mark.parametrize('average', ['prob', 'score', None])
def test_predicts_every_task_from_all_views(average):
    head = make_head(average_clips=average).eval()
    views = 1 if average is None else 3
    x = torch.rand(2 * views, 6, 8, 3, 4)
    samples = head.predict(x, make_samples())
    for name, scores in head.score_tasks(x).items():
        if average == 'prob':
            scores = scores.softmax(dim=1)
        mean = scores.unflatten(0, (2, views)).mean(dim=1)
        answers = [sample.pred_task_labels[name] for sample in samples]
        assert answers == mean.argmax(dim=1).tolist()
        if name == 'color':
            for sample, expected in zip(samples, mean, strict=True):
                torch.testing.assert_close(
                    sample.pred_score.flatten(), expected
                )


def make_recognizer(**sgs):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(
                type='ATFRResNet3d',
                depth=18,
                pretrained=None,
                pretrained2d=False,
                stage_blocks=(1, 1, 1, 1),
                base_channels=4,
                conv1_kernel=(1, 5, 5),
                with_pool2=False,
                temporal_strides=(1, 1, 1, 1),
                inflate_style='3x3x3',
                readout='frames',
                sgs=dict(preset='path', stage=0, grid=2, **sgs),
            ),
            cls_head=dict(
                type='TemporalAttentionHead',
                in_channels=32,
                num_classes=3,
                tasks=TASKS,
                task='color',
                init_std=2.0,
                average_clips='prob',
            ),
        )
    )


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
def test_the_scores_of_a_clip_do_not_depend_on_its_batch(execution):
    recognizer = make_recognizer(num_bins=6).eval()
    recognizer.init_weights()
    recognizer.backbone.execution = execution
    clips = torch.rand(4, 1, 3, 12, 32, 32)
    for still, clip in zip((2, 5, 9, 12), clips, strict=True):
        clip[:, :, still:] = clip[:, :, still - 1 : still]

    def score(some):
        x = recognizer(some, mode='tensor', stage='neck')
        return recognizer.cls_head.score_tasks(x)

    with torch.no_grad():
        together = score(clips)
        assert len(set(recognizer.backbone.lengths.tolist())) > 2
        for place in range(4):
            alone = score(clips[place : place + 1])
            for name in TASKS:
                torch.testing.assert_close(
                    together[name][place], alone[name][0]
                )


def test_learns_with_sampling():
    recognizer = make_recognizer(num_bins=6).train()
    losses = recognizer(
        torch.rand(2, 1, 3, 12, 32, 32), make_samples(), mode='loss'
    )
    sum(losses[f'loss_{name}'] for name in TASKS).backward()
    for name, parameter in recognizer.named_parameters():
        assert parameter.grad is not None, name


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(task='verb'), r"task='verb' is unknown.*\['color', 'digit'\]"),
        (dict(num_classes=5), r"num_classes=5, but tasks\['color'\]=3"),
    ],
)
def test_says_what_is_wrong_with_options(options, words):
    with pytest.raises(ValueError, match=words):
        make_head(**options)


@pytest.mark.parametrize(
    ('label', 'words'),
    [
        (None, 'no `task_labels`.*WordVideoDataset.*`meta_keys`'),
        (dict(color=0), r"task_labels\['digit'\]=None is not a class"),
        (dict(color=0, digit=5), r"task_labels\['digit'\]=5.*\]=5; set"),
    ],
)
def test_says_what_is_wrong_with_labels(label, words):
    (sample,) = make_samples([dict(color=0)])
    sample.set_metainfo(dict(task_labels=label))
    with pytest.raises(ValueError, match=words):
        make_head().loss(torch.rand(1, 6, 8, 3, 4), [sample])
