"""Networks compiled by inductor for a GPU."""

import copy

import pytest
import torch

from tests.models.tiny_backbones import (
    ONE_BLOCK,
    assert_all_close,
    assert_gradients_close,
    build,
    clips,
    lengths_of,
    run,
)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(
    'base,sgs,training',
    [
        ('x3d', None, False),
        ('r18', dict(), False),
        ('r18', dict(), True),
    ],
)
def test_equals_eager(base, sgs, training, device):
    torch._dynamo.reset()
    options = dict(sgs=sgs, channels_last=sgs is None, **ONE_BLOCK[base])
    eager = build(base, **options).train(training).to(device)
    compiled = copy.deepcopy(eager)
    compiled.compile()
    # Other lengths in another batch.
    for x in clips(4, size=32).to(device).split(2):
        expected, actual = run(eager, x), run(compiled, x)
        assert_all_close(actual, expected, 1e-4)
        if sgs is not None:
            assert lengths_of(compiled)[''].equal(lengths_of(eager)[''])
    if training:
        for outputs in (actual, expected):
            sum(out.square().mean() for out in outputs).backward()
        assert_gradients_close(
            [p.grad for p in compiled.parameters()],
            [p.grad for p in eager.parameters()],
            1e-3,
        )
