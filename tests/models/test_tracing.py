"""Tracing and exporting raise an error; compiling equals eager mode."""

import copy
import io

import pytest
import torch

from mmatfr.models import SGSNeck
from tests.models.tiny_backbones import (
    ONE_BLOCK,
    assert_all_close,
    build,
    clips,
    results_of,
    run,
)

PATH = dict(
    similarity='path',
    num_bins=6,
    embedding='identity',
    magnitude_grad=False,
)


@pytest.mark.parametrize(
    'trace',
    [
        lambda net, x: torch.jit.trace(net, x),
        lambda net, x: torch.export.export(net, (x,)),
        lambda net, x: torch.export.export(net, (x,), strict=True),
        lambda net, x: torch.onnx.export(
            net, (x,), io.BytesIO(), dynamo=False
        ),
    ],
    ids=['jit', 'export', 'strict', 'onnx'],
)
@pytest.mark.parametrize(
    'name,shape',
    [('x3d', (1, 3, 8, 32, 32)), ('tsm', (12, 3, 32, 32)), ('neck', None)],
)
def test_tracing_names_the_exporter(name, shape, trace):
    if name == 'neck':
        net, shape = SGSNeck(4, **PATH), (1, 4, 8, 5, 5)
    else:
        net = build(name, sgs=PATH)
    with pytest.raises(Exception, match='tools/deployment/export_model.py'):
        trace(net.eval(), torch.rand(shape))


def test_a_backbone_without_sampling_is_traced():
    net = build('x3d', sgs=None).eval()
    x = torch.rand(1, 3, 8, 32, 32)
    traced = torch.jit.trace(net, x)
    torch.testing.assert_close(traced(x), net(x))


@pytest.fixture
def no_old_graphs():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.usefixtures('no_old_graphs')
@pytest.mark.parametrize(
    'base,training',
    [
        *((base, True) for base in ONE_BLOCK),
        *((base, False) for base in ('x3d', 'slowfast')),
    ],
)
def test_compiled_is_eager(base, training):
    eager = build(base, sgs=dict(PATH, stage=2), **ONE_BLOCK[base])
    eager.train(training)
    x = clips(2, size=24)
    if training:
        # Normalisation over few values magnifies what kernels round.
        eager, x = eager.double(), x.double()
    compiled = copy.deepcopy(eager)
    # In place: state-dict keys stay.
    compiled.compile(backend='eager')
    with torch.set_grad_enabled(training):
        outputs = [run(net, x) for net in (compiled, eager)]
    assert_all_close(*outputs)
    assert_all_close(results_of(compiled), results_of(eager))
    if training:
        for out in outputs:
            sum(maps.square().mean() for maps in out).backward()
        assert_all_close(
            [p.grad for p in compiled.parameters()],
            [p.grad for p in eager.parameters()],
        )
