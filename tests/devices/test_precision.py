"""Mixed precision: groups come from single precision, and training works."""

import pytest
import torch

from tests.models.tiny_backbones import build, clips, run, sgs_of

GPU = torch.cuda.is_available()
DTYPES = [torch.bfloat16, *([torch.float16] if GPU else [])]
precisions = pytest.mark.parametrize('dtype', DTYPES)
BASES = ['x3d', 'r18', 'r2plus1d', 'csn', 'slowfast', 'mobilenet_tsm']
SGS = dict(
    paper=dict(),
    authors=dict(preset='authors', pre_activation=True),
    path=dict(preset='path', grid=2),
    learned=dict(preset='learned', grid=2),
)


@precisions
@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize('base', BASES)
def test_evaluation(base, execution, dtype, device):
    backbone = build(base, sgs=dict(), execution=execution).eval().to(device)
    assert_groups_in_single_precision(backbone, dtype, device)


@precisions
@pytest.mark.parametrize('choice', SGS)
def test_layers(choice, dtype, device):
    backbone = build('r18', sgs=SGS[choice]).eval().to(device)
    assert_groups_in_single_precision(backbone, dtype, device)


def assert_groups_in_single_precision(backbone, dtype, device):
    maps = {layer: [] for layer in sgs_of(backbone)}
    groups = {layer: [] for layer in maps}

    def record(layer, args, out):
        maps[layer].append(args[0])
        groups[layer].append(layer.groups)
        assert layer.magnitude.dtype == torch.float32
        assert out[0].dtype == args[0].dtype

    handles = [layer.register_forward_hook(record) for layer in maps]
    x = clips(3, size=32).to(device)
    with torch.no_grad(), torch.autocast(device, dtype):
        outputs = run(backbone, x)
    for handle in handles:
        handle.remove()
    assert all(out.isfinite().all() for out in outputs)
    for layer, seen in maps.items():
        for x, found in zip(seen, groups[layer], strict=True):
            with torch.no_grad():
                layer(x.float())
            assert layer.groups.index.equal(found.index)


@precisions
@pytest.mark.parametrize('base', BASES)
def test_training_step(base, dtype, device):
    backbone = build(base, sgs=dict()).train().to(device)
    parameters = {
        name: p for name, p in backbone.named_parameters() if p.requires_grad
    }
    before = {name: p.detach().clone() for name, p in parameters.items()}
    optimizer = torch.optim.SGD(parameters.values(), lr=0.01)
    scaler = torch.amp.GradScaler(device, init_scale=64.0)
    with torch.autocast(device, dtype):
        outputs = run(backbone, clips(2, size=32).to(device))
        loss = sum(out.float().square().mean() for out in outputs)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 64.0  # no overflow
    for name, p in parameters.items():
        assert p.isfinite().all(), name
        assert p.grad is not None, name
    assert any(not p.equal(before[name]) for name, p in parameters.items())
