"""The base as a CUDA graph, with which benchmarks compare."""

import pytest
import torch

from mmatfr.benchmark.work import _Graph
from tests.models.tiny_backbones import build, clips, run


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('precision', [None, torch.bfloat16])
def test_replays_the_forward_on_other_clips(precision):
    backbone = build('x3d').eval().cuda()
    found = []

    def forward(x):
        found.append(run(backbone, x)[0])

    graph = _Graph(forward)
    x = clips(4, size=32).cuda()
    for batch in (x[:2], x[2:], x[:1]):
        # Autocast keeps the weights that it converts until its end.
        with (
            torch.no_grad(),
            torch.autocast('cuda', precision, enabled=precision is not None),
        ):
            expected = run(backbone, batch)[0]
            graph(batch)
        # The last output of a capture is the one that a replay writes.
        actual = found[-1].clone()
        difference = (actual - expected).abs().max()
        assert difference <= 0.02 * expected.abs().max()
    assert len(graph._captured) == 2
