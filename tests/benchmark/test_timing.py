"""Settings of a benchmark."""

import torch

from mmatfr.benchmark.timing import choose_kernels
from tests.models.tiny_backbones import build


def test_only_fixed_shapes_are_worth_trying_kernels():
    for sgs, expected in ((None, True), (dict(), False)):
        for before in (False, True):
            with torch.backends.cudnn.flags(enabled=True, benchmark=before):
                with choose_kernels(build('r18', sgs=sgs)):
                    assert torch.backends.cudnn.benchmark == expected
                assert torch.backends.cudnn.benchmark == before
