"""Groups of one clip, computed in the engines."""

import numpy as np
import torch
from torch import nn

from mmatfr.deploy import available_engines, make_engine
from mmatfr.deploy.grouping import group_clip
from mmatfr.sgs import group_frames

NUM_FRAMES = 19


ORDERS = ('magnitude', 'time')


class Grouping(nn.Module):
    def forward(self, magnitude):
        outputs = []
        for order in ORDERS:
            groups = group_clip(
                magnitude, torch.tensor(8), order=order, ends=2
            )
            outputs += [groups.index, groups.weight, groups.length]
        return tuple(outputs)


def test_ties_are_settled_as_in_pytorch(tmp_path):
    names = [f'{name}.{order}' for order in ORDERS for name in ('i', 'w', 'l')]
    path = str(tmp_path / 'groups.onnx')
    torch.onnx.export(
        Grouping().eval(),
        (torch.rand(NUM_FRAMES),),
        path,
        input_names=['frames'],
        output_names=names,
        dynamo=True,
        verbose=False,
        external_data=False,
    )
    generator = torch.Generator().manual_seed(0)
    # Few values, so that groups are large.
    clips = torch.randint(1, 9, (100, NUM_FRAMES), generator=generator) / 8
    clips[:, NUM_FRAMES // 2] = 1
    # The same forwards and backwards: all groups have the same mean frame.
    half = clips[:50, : NUM_FRAMES // 2]
    clips[:50, -half.shape[1] :] = half.flip(1)
    for engine in available_engines():
        runner = make_engine(engine, path, fixed_size=False)
        for clip in clips:
            outputs = iter(runner.run(names, dict(frames=clip.numpy())))
            for order in ORDERS:
                expected = group_frames(clip[None], 8, order=order, ends=2)
                assert next(outputs).tolist() == expected.index[0].tolist()
                np.testing.assert_allclose(
                    next(outputs), expected.weight[0].numpy(), rtol=1e-6
                )
                assert next(outputs) == expected.lengths[0]
