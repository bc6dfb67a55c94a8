"""In single precision, too, a clip's result does not depend on its batch.

Kernels for other shapes round differently, so results are equal up to
rounding.
"""

import pytest
import torch

from tests.models.tiny_backbones import build, clips, lengths_of, run

TOLERANCE = 1e-4  # of the largest output


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize('base', ['x3d', 'r18', 'csn', 'slowfast', 'tsm'])
def test_clip_is_what_it_is_alone(base, execution, channels_last, device):
    backbone = build(
        base, sgs=dict(), execution=execution, channels_last=channels_last
    )
    backbone.eval().to(device)
    x = clips(4, size=32).to(device)
    with torch.no_grad():
        together = run(backbone, x)
        lengths = lengths_of(backbone)
        for place in range(len(x)):
            alone = run(backbone, x[place : place + 1])
            for name, own in lengths_of(backbone).items():
                assert own.tolist() == [lengths[name][place]]
            for one, all_clips in zip(alone, together, strict=True):
                difference = (one[0] - all_clips[place]).abs().max()
                assert difference <= TOLERANCE * one.abs().max()
