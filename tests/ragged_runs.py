"""Modules converted, and run on packed clips and on clips alone."""

import copy

import torch
from hypothesis import strategies as st
from torch import nn

from mmatfr.ragged import (
    PROBE_FRAMES,
    Clips,
    RaggedSqueezeExcitation,
    Route,
    convert_ragged,
    pack,
    register_per_frame,
    register_ragged_form,
    start_run,
    watch_places,
)

CHANNELS = 4
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


class SqueezeExcitation(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Conv3d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        return x * self.fc(x.mean(dim=(2, 3, 4), keepdim=True)).sigmoid()


@register_ragged_form(SqueezeExcitation)
class RaggedSE(RaggedSqueezeExcitation):
    def gate(self, mean):
        return self.fc(mean).sigmoid()


def clips_of(lengths, dtype=torch.float64, size=(5, 4)):
    generator = torch.manual_seed(sum(lengths))
    return [
        torch.randn(1, CHANNELS, n, *size, dtype=dtype, generator=generator)
        for n in lengths
    ]


def convert(module):
    """Converts a module, which keeps its route."""
    weight = next(module.parameters(), torch.empty(0))
    clip = weight.new_zeros(1, CHANNELS, PROBE_FRAMES, 5, 4)
    with torch.no_grad(), watch_places(module) as places:
        was_training = module.training
        module.eval()(clip)
        module.train(was_training)
    module.route = Route(PROBE_FRAMES)
    return convert_ragged(module, module.route, places, 'layer3')


def run_packed(module, x, layout):
    """Runs a converted module on packed clips."""
    with start_run(module.route):
        module.route.begin(Clips(layout, module.route.start))
        return module(x)


def assert_equals_alone(module, lengths, channels_last=False, atol=1e-9):
    """Values, gradients of the input and of every parameter."""
    module = module.double()
    ragged = convert(copy.deepcopy(module))
    alone = [clip.requires_grad_() for clip in clips_of(lengths)]
    expected = [module(clip) for clip in alone]

    x, layout = pack([clip.detach() for clip in alone])
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    x.requires_grad_()
    actual = run_packed(ragged, x, layout)
    actual = actual.split([out.shape[2] for out in expected], dim=2)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)

    cotangents = [torch.randn_like(out) for out in expected]
    for outputs in (actual, expected):
        sum(
            (out * cotangent).sum()
            for out, cotangent in zip(outputs, cotangents, strict=True)
        ).backward()
    torch.testing.assert_close(
        x.grad,
        torch.cat([clip.grad for clip in alone], dim=2),
        rtol=0,
        atol=atol,
    )
    for ours, theirs in zip(
        ragged.parameters(), module.parameters(), strict=True
    ):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=atol)


def network(with_cp=False):
    """A stage with a stride, a residual branch and a gate."""

    class Block(nn.Module):
        def __init__(self, stride):
            super().__init__()
            self.conv1 = nn.Conv3d(
                CHANNELS, CHANNELS, 3, (stride, 1, 1), 1, groups=2
            )
            self.bn = nn.BatchNorm3d(CHANNELS)
            self.se = SqueezeExcitation()
            self.conv2 = nn.Conv3d(CHANNELS, CHANNELS, (5, 1, 1), 1, (2, 0, 0))
            self.relu = nn.ReLU(inplace=True)
            self.down = nn.Conv3d(CHANNELS, CHANNELS, 1, (stride, 1, 1))
            self.with_cp = with_cp

        def forward(self, x):
            out = self.conv2(self.se(self.bn(self.conv1(x))))
            return self.relu(out + self.down(x))

    register_per_frame(Block)
    return nn.Sequential(
        Block(2), Block(1), nn.MaxPool3d((2, 1, 1), ceil_mode=True), Block(2)
    ).eval()
