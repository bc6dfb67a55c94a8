"""Training towards the scores of a network without sampling."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.hooks import Hook

from mmatfr.models.networks import scorer

SGS = dict(preset='path', stage=0, num_bins=3)


@pytest.fixture
def teacher(build_runner, tmp_path):
    """Path of a checkpoint of the network without sampling."""
    runner = build_runner(metrics=['AccMetric'])
    torch.manual_seed(1)
    runner.model.init_weights()
    for module in runner.model.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_var.fill_(0.3)
    path = tmp_path / 'teacher.pth'
    torch.save(dict(state_dict=runner.model.state_dict()), path)
    return str(path)


def distilled(build_runner, teacher, **options):
    hook = dict(type='DistillationHook', teacher=teacher, **options)
    return build_runner(sgs=SGS, metrics=['AccMetric'], hooks=[hook])


def test_the_loss_is_that_of_labels_and_teacher(build_runner, teacher):
    runner = distilled(build_runner, teacher, weight=0.4, temperature=3)
    head, loss = runner.model.cls_head, runner.model.cls_head.loss_cls
    cfg = copy.deepcopy(runner.cfg.model)
    cfg.backbone.sgs = None
    full = MODELS.build(cfg).eval()
    full.load_state_dict(torch.load(teacher)['state_dict'])
    seen = []

    class Watch(type(runner.model)):
        def train_step(self, data, optim_wrapper):
            with torch.no_grad():
                (wanted,) = scorer(full, data)()
            scores = []
            handle = head.register_forward_hook(
                lambda head, args, out: scores.append(out.detach())
            )
            logs = super().train_step(data, optim_wrapper)
            handle.remove()
            labels = torch.cat([s.gt_label for s in data['data_samples']])
            seen.append((scores[0], wanted, labels, logs))
            return logs

    runner.model.__class__ = Watch
    runner.train()
    assert len(seen) == 3
    for scores, wanted, labels, logs in seen:
        own = F.cross_entropy(scores, labels)
        p, q = (x.div(3).softmax(dim=1) for x in (wanted, scores))
        divergence = (p * (p / q).log()).sum(dim=1).mean()
        torch.testing.assert_close(logs['loss_cls'], 0.6 * own)
        torch.testing.assert_close(
            logs['loss_distill'], 0.4 * 9 * divergence, rtol=1e-4, atol=1e-6
        )
        total = logs['loss_cls'] + logs['loss_distill']
        torch.testing.assert_close(logs['loss'], total)
        assert 'top1_acc' in logs
    assert head.loss_cls is loss


def test_nothing_is_added_to_checkpoints(build_runner, teacher):
    runner = distilled(build_runner, teacher)
    keys = list(runner.model.state_dict())
    before = runner.cfg.pretty_text
    runner.train()
    assert runner.cfg.pretty_text == before
    saved = torch.load(f'{runner.work_dir}/epoch_1.pth', weights_only=False)
    assert list(saved['state_dict']) == keys
    assert list(runner.model.state_dict()) == keys
    assert "preset='path'" in saved['meta']['cfg']


def test_a_training_that_was_interrupted_can_go_on(build_runner, teacher):
    class Interrupt(Hook):
        losses = []

        def after_train_iter(self, runner, **kwargs):
            self.losses.append(runner.model.cls_head.loss_cls)
            if len(self.losses) == 1:
                raise KeyboardInterrupt

    runner = distilled(build_runner, teacher)
    head, loss = runner.model.cls_head, runner.model.cls_head.loss_cls
    runner.register_hook(Interrupt())
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    runner.train()
    assert len(Interrupt.losses) > 1
    for distillation in Interrupt.losses:
        assert distillation is not loss and distillation.own is loss
    assert head.loss_cls is loss


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(weight=0), 'weight=0 must be .* greater than 0 and at most 1'),
        (dict(weight=1.5), 'weight=1.5 must be'),
        (dict(weight='1'), "weight='1' must be"),
        (dict(temperature=0.0), 'temperature=0.0 must be .* greater than 0'),
        (dict(temperature=float('nan')), 'temperature=nan must be'),
    ],
)
def test_bad_numbers_are_named(build_runner, options, message):
    with pytest.raises(ValueError, match=message):
        distilled(build_runner, 'none.pth', **options).train()


def test_a_network_that_does_not_sample_has_no_teacher(build_runner, teacher):
    hook = dict(type='DistillationHook', teacher=teacher)
    runner = build_runner(metrics=['AccMetric'], hooks=[hook])
    with pytest.raises(ValueError, match='backbone that samples'):
        runner.train()


def test_mixed_clips_are_refused(build_runner, teacher):
    runner = distilled(build_runner, teacher)
    runner.model.data_preprocessor.blending = object()
    with pytest.raises(ValueError, match='remove blending'):
        runner.train()
