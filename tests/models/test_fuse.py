"""A fused network gives the same results as the unfused one."""

import copy
import pickle

import pytest
import torch
from mmaction.registry import MODELS
from small_recognizers import x3d
from tiny_backbones import BASES, build, clips, lengths_of, run
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmatfr.models import atfr, fuse
from mmatfr.sgs import SGS


def norms_of(network):
    layers = [m for m in network.modules() if isinstance(m, SGS)]
    inside = {part for layer in layers for part in layer.modules()}
    return [
        m
        for m in network.modules()
        if isinstance(m, _BatchNorm) and m not in inside
    ]


@pytest.mark.parametrize('sgs', [None, dict(num_bins=6)])
@pytest.mark.parametrize('base', BASES)
def test_equals_unfused(base, sgs):
    plain = build(base, sgs=sgs).eval()
    fused = copy.deepcopy(plain)
    assert fuse(fused) is fused
    assert norms_of(plain) and not norms_of(fused)
    assert not any(p.requires_grad for p in fused.parameters())
    x = clips(2)
    for execution in ['packed'] if sgs is None else ['packed', 'sequential']:
        plain.execution = fused.execution = execution
        with torch.no_grad():
            expected, outputs = run(plain, x), run(fused, x)
        for ours, theirs in zip(outputs, expected, strict=True):
            scale = theirs.abs().max()
            assert (ours - theirs).abs().max() <= 1e-5 * scale
        if sgs is not None:
            for path, lengths in lengths_of(plain).items():
                assert lengths_of(fused)[path].equal(lengths)


@pytest.fixture(scope='module')
def recognizer():
    torch.manual_seed(0)
    return MODELS.build(x3d(num_classes=5, sgs=dict())).eval()


def score(recognizer):
    with torch.no_grad():
        return recognizer(clips(1)[:, None], mode='tensor', stage='head')


def test_recognizer(recognizer):
    fused = fuse(copy.deepcopy(recognizer))
    scores = score(fused)
    torch.testing.assert_close(scores, score(recognizer), rtol=1e-5, atol=1e-5)
    for again in (
        fuse(fused),
        copy.deepcopy(fused),
        pickle.loads(pickle.dumps(fused)),
    ):
        assert score(again).equal(scores)
        assert again.eval() is again
        with pytest.raises(RuntimeError, match='cannot be trained'):
            again.train()
        assert not any(module.training for module in again.modules())


def test_weights_are_loaded_before_fusing(recognizer):
    fused = fuse(copy.deepcopy(recognizer))
    before = score(fused)
    for strict in (True, False):
        with pytest.raises(RuntimeError, match='`backbone.conv1_t.bn`'):
            fused.load_state_dict(recognizer.state_dict(), strict=strict)
    assert score(fused).equal(before)
    fused.load_state_dict(fused.state_dict())


class OwnBackbone(nn.Module):
    def __init__(self, norm, conv=None):
        super().__init__()
        self.stem = nn.Sequential(conv or nn.Conv3d(3, 4, 3, padding=1), norm)
        self.stage1 = nn.Conv3d(4, 8, 1)

    def forward(self, x):
        return self.stage1(self.stem(x))


class NormFirst(OwnBackbone):
    def __init__(self):
        super().__init__(nn.Identity())
        self.norm = nn.BatchNorm3d(3)

    def forward(self, x):
        return super().forward(self.norm(x))


ATFROwn = atfr(OwnBackbone, ['stem', 'stage1'])
ATFRNormFirst = atfr(NormFirst, ['stem', 'stage1'])


def test_own_backbone():
    plain = ATFROwn(nn.BatchNorm3d(4)).eval()
    plain.stem[1].running_mean += 1
    fused, x = fuse(copy.deepcopy(plain)), torch.rand(1, 3, 4, 5, 5)
    torch.testing.assert_close(fused(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    'make,match',
    [
        (lambda: nn.Conv3d(3, 3, 1), 'Conv3d has no backbone of mmatfr'),
        (lambda: ATFROwn(nn.BatchNorm3d(4)).train(), 'it is in training mode'),
        (lambda: training_norm(), '`stem.1` is in training mode'),
        (lambda: ATFROwn(nn.GroupNorm(2, 4)), r'`stem.1` \(GroupNorm\)'),
        (
            lambda: ATFROwn(nn.BatchNorm3d(4, track_running_stats=False)),
            r'`stem.1` \(BatchNorm3d\) normalizes by the batch',
        ),
        (ATFRNormFirst, r'`norm` \(BatchNorm3d\) does not directly follow'),
        (
            lambda: ATFROwn(
                nn.BatchNorm3d(4),
                nn.utils.parametrizations.weight_norm(nn.Conv3d(3, 4, 1)),
            ),
            r'`stem.1` \(BatchNorm3d\) follows a convolution with a computed',
        ),
    ],
)
def test_what_cannot_be_fused_is_named_and_left_alone(make, match):
    model = make()
    if not match.endswith('training mode'):
        model.eval()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=match):
        fuse(model)
    assert model.state_dict().keys() == before.keys()
    model.train()


def training_norm():
    backbone = ATFROwn(nn.BatchNorm3d(4)).eval()
    backbone.stem[1].train()
    return backbone
