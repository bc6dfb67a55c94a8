"""Backbones in training: statistics, gradients, frozen parts."""

import copy
import warnings

import pytest
import torch
from tiny_backbones import BASES, assert_all_close, build, clips, run, slowfast
from torch import nn


@pytest.mark.parametrize('execution', ['auto', 'packed', 'sequential'])
@pytest.mark.parametrize('base', ['x3d', 'r18', 'r50_strided'])
def test_training_normalises_over_real_frames_only(base, execution):
    """Expects the statistics of real frames, convolved clip by clip."""
    backbone = build(base, sgs=dict(), execution=execution).train().double()
    statistics, convolved = {}, []

    def see_normalised(name, x):
        statistics[name] = x.transpose(0, 1).flatten(1)

    def see_convolved(conv, x, out):
        if len(x) > 1:  # before the layer
            return
        lengths = backbone.sgs.groups.lengths.tolist()
        if x.shape[2] != sum(lengths):  # behind the pool
            lengths = [max(1, length // 2) for length in lengths]
        if x.shape[2] != sum(lengths):  # and the stride
            lengths = [-(-length // 2) for length in lengths]
        alone = [
            nn.functional.conv3d(
                clip,
                conv.weight,
                conv.bias,
                conv.stride,
                conv.padding,
                conv.dilation,
                conv.groups,
            )
            for clip in x.split(lengths, dim=2)
        ]
        torch.testing.assert_close(out, torch.cat(alone, dim=2))
        convolved.append(conv)

    for name, module in backbone.named_modules():
        if isinstance(module, nn.BatchNorm3d):
            module.register_forward_pre_hook(
                lambda module, args, name=name: see_normalised(name, *args)
            )
        elif isinstance(module, nn.Conv3d):
            module.register_forward_hook(
                lambda module, args, out: see_convolved(module, *args, out)
            )
    before = copy.deepcopy(backbone.state_dict())
    backbone(clips(4).double())
    state = backbone.state_dict()
    for name, values in statistics.items():
        mean = before[f'{name}.running_mean'].lerp(values.mean(dim=1), 0.1)
        var = before[f'{name}.running_var'].lerp(values.var(dim=1), 0.1)
        torch.testing.assert_close(state[f'{name}.running_mean'], mean)
        torch.testing.assert_close(state[f'{name}.running_var'], var)
    assert len(statistics) == sum(
        isinstance(m, nn.BatchNorm3d) for m in backbone.modules()
    )
    assert any(conv.kernel_size[0] > 1 for conv in convolved)


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize(
    'base,with_cp',
    [
        (base, with_cp)
        for base in BASES
        for with_cp in (False, True)
        # Basic blocks of 2D ResNets have no activation checkpointing.
        if not (with_cp and base == 'tsm')
    ],
)
def test_every_parameter_gets_a_finite_gradient(base, with_cp, autocast):
    options = dict(with_cp=with_cp)
    if base == 'slowfast':
        options = slowfast()
        for pathway in ('slow_pathway', 'fast_pathway'):
            options[pathway]['with_cp'] = with_cp
        del options['type']
    backbone = build(base, sgs=dict(), **options).train()
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        outputs = run(backbone, clips(4).requires_grad_())
    sum(out.float().square().mean() for out in outputs).backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize('base', ['x3d', 'non_local', 'tsm_block'])
def test_activation_checkpointing_changes_nothing(base):
    gradients = []
    for with_cp in (False, True):
        backbone = build(base, sgs=dict(), with_cp=with_cp).train()
        run(backbone, clips(3))[0].square().mean().backward()
        gradients.append([p.grad for p in backbone.parameters()])
    torch.testing.assert_close(*gradients)


def test_frozen_stages_and_norm_eval():
    backbone = build('r18', sgs=dict(), frozen_stages=2, norm_eval=True)
    assert backbone.train() is backbone
    backbone(clips(2)).sum().backward()
    assert backbone.layer2[0].conv1.conv.weight.grad is None
    assert backbone.layer3[0].conv1.conv.weight.grad is not None
    assert not any(
        m.training
        for m in backbone.modules()
        if isinstance(m, torch.nn.BatchNorm3d)
    )


@pytest.mark.parametrize(
    'base,options',
    [
        ('r18', dict(norm_eval=True)),
        ('csn', dict(norm_eval=True, bn_frozen=True)),
        ('tsm', dict(partial_bn=True)),
    ],
)
def test_frozen_normalisation_of_the_base_is_not_that_of_the_layer(
    base, options
):
    backbone = build(base, sgs=dict(), **options).train()
    bn = backbone.sgs.bn
    assert bn.training and not all(m.training for m in backbone.modules())
    run(backbone, clips(2))[0].sum().backward()
    assert bn.num_batches_tracked == 1 and bn.weight.grad.abs().sum() > 0
    assert not backbone.eval().sgs.bn.training
    bn.requires_grad_(False)
    assert not any(
        p.requires_grad for p in backbone.train().sgs.bn.parameters()
    )


def test_sequential_training_with_normalisation_says_that_it_is_packed():
    backbone = build('r18', sgs=dict(), execution='sequential').train()
    x = clips(2, num_frames=4)
    with pytest.warns(UserWarning, match='runs clips packed in training'):
        backbone(x)
    frozen = build(
        'r18',
        sgs=dict(embedding='identity'),
        execution='sequential',
        norm_eval=True,
    ).train()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        frozen(x)
        backbone.eval()(x)


def test_sync_bn():
    """Converted in place; in a single process it equals BN."""
    backbone = build('x3d', sgs=dict()).eval()
    expected = backbone(clips(3))
    backbone = nn.SyncBatchNorm.convert_sync_batchnorm(backbone)
    assert isinstance(backbone.sgs.bn, nn.SyncBatchNorm)
    assert_all_close([backbone(clips(3))], [expected])
