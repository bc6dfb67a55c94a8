"""Networks give the same results on another device as on the CPU.

The device is one that every build of torch has, and CUDA where there is a GPU.
"""

import contextlib
import copy

import pytest
import torch
from other_device import OtherDevice, fetch, send
from tiny_backbones import (
    BASES,
    SGS_CHOICES,
    assert_all_close,
    build,
    clips,
    lengths_of,
    run,
)

from mmatfr.models import fuse

DEVICES = ['other', *(['cuda'] if torch.cuda.is_available() else [])]
devices = pytest.mark.parametrize('device', DEVICES)


class On:
    """Sends to a device and fetches from it."""

    def __init__(self, device):
        other = device == 'other'
        self.mode = OtherDevice if other else contextlib.nullcontext
        self.send = send if other else lambda x: x.to(device)
        self.fetch = fetch if other else lambda x: x.detach().cpu()


@devices
@pytest.mark.parametrize('base', BASES)
def test_training(base, device):
    on = On(device)
    network, x = make(base, readout='frames', execution='packed')
    network.train()
    there = on.send(copy.deepcopy(network))
    expected = run(network, x)
    sum(y.square().mean() for y in expected).backward()
    with on.mode():
        actual = run(there, on.send(x))
        sum(y.square().mean() for y in actual).backward()
        assert_same_results(on, there, actual, network, expected)
    assert_all_close(
        [on.fetch(p.grad) for p in there.parameters() if p.requires_grad],
        [p.grad for p in network.parameters() if p.requires_grad],
    )
    assert_all_close(
        [on.fetch(b).double() for b in there.buffers()],
        [b.double() for b in network.buffers()],
    )


@devices
@pytest.mark.parametrize(
    'base,execution,fused',
    [
        *((base, 'packed', True) for base in BASES),
        ('x3d', 'sequential', False),
        ('slowfast', 'sequential', False),
        ('tsm', 'sequential', False),
    ],
)
def test_evaluation(base, execution, fused, device):
    on = On(device)
    network, x = make(base, execution=execution)
    network.eval()
    there = on.send(copy.deepcopy(network))
    with on.mode(), torch.no_grad():
        actual = run(fuse(there) if fused else there, on.send(x))
        assert_same_results(on, there, actual, network, run(network, x))


@devices
@pytest.mark.parametrize('choice', SGS_CHOICES)
def test_options_of_the_layer(choice, device):
    on = On(device)
    network, x = make('x3d', choice)
    network.train()
    there = on.send(copy.deepcopy(network))
    with on.mode():
        actual = run(there, on.send(x))
        assert_same_results(on, there, actual, network, run(network, x))


def test_tensors_of_two_devices_are_an_error():
    """Checks the device itself, on which the other tests rely."""
    x = send(torch.rand(3))
    with OtherDevice():
        assert fetch(x + 1).shape == (3,)
        assert x[torch.tensor([0, 2])].shape == (2,)
        with pytest.raises(RuntimeError, match='tensors on two devices'):
            x + torch.rand(3)
        with pytest.raises(RuntimeError, match='tensors on two devices'):
            x.index_select(0, torch.tensor([0, 2]))


def make(base, choice='path', **options):
    """A network without CPU-only forms, and clips."""
    network = build(
        base, sgs=SGS_CHOICES[choice], channels_last=False, **options
    )
    return network.double(), clips(num_clips=2, size=32).double()


def assert_same_results(on, there, actual, network, expected):
    assert_all_close([on.fetch(y) for y in actual], expected)
    for name, lengths in lengths_of(network).items():
        assert lengths_of(there)[name].tolist() == lengths.tolist()
