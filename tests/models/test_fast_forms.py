"""Faster forms give the same results, also counted and compiled."""

import copy

import pytest
import torch
from mmcv.cnn import ConvModule
from mmengine.analysis import FlopAnalyzer
from tiny_backbones import ONE_BLOCK, build, clips, run
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmatfr.models.fast_forms import accelerate


def assert_equal_to_rounding(ours, theirs, tolerance=1e-5):
    difference = (ours - theirs).abs().max()
    assert difference <= tolerance * theirs.abs().max()


def conv_module(**options):
    torch.manual_seed(0)
    module = ConvModule(
        3, 4, 3, padding=1, conv_cfg=dict(type='Conv3d'), **options
    )
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm3d) and norm.track_running_stats:
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
    return module


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize(
    'options',
    [
        dict(norm_cfg=dict(type='BN3d')),
        dict(norm_cfg=dict(type='BN3d'), bias=True),
        dict(norm_cfg=dict(type='BN3d', affine=False)),
        dict(norm_cfg=dict(type='BN3d', track_running_stats=False)),
        dict(norm_cfg=dict(type='GN', num_groups=2)),
        dict(norm_cfg=dict(type='BN3d'), order=('act', 'conv', 'norm')),
        dict(norm_cfg=dict(type='BN3d'), order=('conv', 'act', 'norm')),
        dict(norm_cfg=None),
        dict(norm_cfg=dict(type='BN3d'), act_cfg=None),
    ],
)
def test_folded_normalisation_changes_rounding_only(options, training):
    plain = conv_module(inplace=False, **options).train(training)
    fast = accelerate(copy.deepcopy(plain))
    x = torch.randn(2, 3, 4, 9, 9)
    for arguments in ({}, dict(activate=False), dict(norm=False)):
        expected = plain(x, **arguments)
        out = fast(x, **arguments)
        torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
        for module, y in ((plain, expected), (fast, out)):
            module.zero_grad(set_to_none=True)
            y.square().sum().backward()
        for ours, theirs in zip(
            fast.parameters(), plain.parameters(), strict=True
        ):
            if theirs.grad is not None:
                torch.testing.assert_close(
                    ours.grad, theirs.grad, rtol=1e-4, atol=1e-4
                )


@pytest.mark.parametrize('watched', ['conv', 'bn'])
def test_a_watched_module_runs_by_itself(watched):
    module = accelerate(conv_module(norm_cfg=dict(type='BN3d'))).eval()
    x, seen = torch.randn(1, 3, 4, 9, 9), []
    handle = getattr(module, watched).register_forward_hook(
        lambda module, args, out: seen.append(out)
    )
    expected = module(x)
    assert len(seen) == 1
    handle.remove()
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)
    assert len(seen) == 1


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize(
    'base,sgs',
    [
        *((base, None) for base in ('x3d', 'r18', 'r2plus1d', 'tsm')),
        *(
            (base, dict(bin_range='data', num_bins=4))
            for base in ('x3d', 'slowfast', 'tsm')
        ),
    ],
)
def test_a_forward_sets_no_attribute(base, sgs, training, monkeypatch):
    """Threads that share a network would see each other's attributes."""
    backbone = build(base, sgs=sgs, channels_last=True).train(training)
    changed = []
    for name in ('__setattr__', '__delattr__'):
        monkeypatch.setattr(
            nn.Module, name, lambda module, *args: changed.append(args)
        )
    run(backbone, clips(1))
    assert not changed


@pytest.mark.parametrize(
    'base,training',
    [
        ('x3d', False),
        ('r18', False),
        ('r18', True),
        ('slowfast', False),
        ('tsm', False),
    ],
)
def test_compiled_equals_eager(base, training):
    eager = build(base, channels_last=True, **ONE_BLOCK[base])
    eager.train(training)
    compiled = torch.compile(
        copy.deepcopy(eager), backend='aot_eager', fullgraph=True
    )
    x = clips(1)
    torch._dynamo.reset()
    outputs = []
    for network in (compiled, eager):
        out = run(network, x)
        outputs.append(out)
        if training:
            sum(y.square().sum() for y in out).backward()
    for ours, theirs in zip(*outputs, strict=True):
        assert_equal_to_rounding(ours, theirs)
    if training:
        for ours, theirs in zip(
            compiled.parameters(), eager.parameters(), strict=True
        ):
            assert_equal_to_rounding(ours.grad, theirs.grad, 1e-4)


@pytest.mark.parametrize('sgs', [None, dict(num_bins=6)])
@pytest.mark.parametrize('base', ['x3d', 'r18', 'slowfast', 'mobilenet_tsm'])
def test_public_counters_agree(base, sgs):
    """The counters of mmengine (in mmaction2's get_flops.py) and of torch."""
    backbone = build(base, sgs=sgs, channels_last=True).eval()
    x = clips(1)
    if 'tsm' in base:
        x = x.transpose(1, 2).flatten(0, 1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone(x)
    analyzer = FlopAnalyzer(backbone, (x,)).unsupported_ops_warnings(False)
    counts = analyzer.uncalled_modules_warnings(False).by_operator()
    ours = sum(counts[name] for name in ('conv', 'linear', 'matmul'))
    assert 2 * ours == counter.get_total_flops() > 0
