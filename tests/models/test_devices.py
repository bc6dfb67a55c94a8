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
    assert_gradients_close,
    build,
    clips,
    lengths_of,
    run,
)

from mmatfr.models import fuse
from mmatfr.sgs import SGS, equal_groups
from mmatfr.sgs.similarity import SIMILARITIES

DEVICES = ['other', *(['cuda'] if torch.cuda.is_available() else [])]
devices = pytest.mark.parametrize('device', DEVICES)
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='needs a GPU'
)
LAYERS = dict(
    **{name: dict(similarity=name) for name in SIMILARITIES},
    linear=dict(similarity='l2', kernel='linear'),
    normalized=dict(kernel='linear', normalize=True),
    time=dict(order='time', contiguous=True),
    bins=dict(num_bins=40),
    path_preset=dict(preset='path', border=1),
    learned_preset=dict(preset='learned', border=1),
    function=dict(
        embedding='identity',
        magnitude_grad=False,
        similarity=lambda z: z.square().mean(dim=2),
    ),
)


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
    assert_trains(device, *make(base, readout='frames', execution='packed'))


@devices
@pytest.mark.parametrize('base', ['x3d', 'r18', 'csn', 'slowfast', 'tsm'])
def test_training_in_channels_last(base, device):
    assert_trains(device, *make(base, channels_last=True))


@needs_cuda
@pytest.mark.parametrize('base', ['r18', 'csn', 'slowfast', 'tsm'])
def test_training_with_checkpoints(base):
    network, x = make(base)
    for module in network.modules():
        if hasattr(module, 'with_cp'):
            module.with_cp = True
    assert_trains('cuda', network, x)


def assert_trains(device, network, x):
    on = On(device)
    network.train()
    there = on.send(copy.deepcopy(network))
    expected = run(network, x)
    sum(y.square().mean() for y in expected).backward()
    with on.mode():
        actual = run(there, on.send(x))
        sum(y.square().mean() for y in actual).backward()
        assert_same_results(on, there, actual, network, expected)
    assert_gradients_close(
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


@needs_cuda
@pytest.mark.parametrize('base', BASES)
def test_evaluation_clip_by_clip(base):
    on = On('cuda')
    network, x = make(base, execution='sequential')
    network.eval()
    there = on.send(copy.deepcopy(network))
    with torch.no_grad():
        actual = run(there, on.send(x))
        assert_same_results(on, there, actual, network, run(network, x))


@devices
@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('name', LAYERS)
def test_layer(name, training, device):
    on = On(device)
    torch.manual_seed(0)
    layer = SGS(8, **LAYERS[name]).double().train(training)
    if name == 'function':
        layer.binning = lambda magnitude: equal_groups(magnitude, [2, 5, 9])
    there = on.send(copy.deepcopy(layer))
    x = clips(3, 9, 8).double().repeat(1, 3, 1, 1, 1)[:, :8]
    x_there = on.send(x).requires_grad_()
    x.requires_grad_()
    expected, lengths = layer(x)
    expected.square().mean().backward()
    with on.mode():
        actual, lengths_there = there(x_there)
        actual.square().mean().backward()
    assert lengths_there.tolist() == lengths.tolist()
    assert_all_close(
        [on.fetch(each) for each in (actual, x_there.grad)],
        [expected.detach(), x.grad],
    )
    assert_gradients_close(
        [on.fetch(p.grad) for p in there.parameters() if p.grad is not None],
        [p.grad for p in layer.parameters() if p.grad is not None],
    )


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
    """A network, by default without channels-last forms, and clips."""
    options.setdefault('channels_last', False)
    network = build(base, sgs=SGS_CHOICES[choice], **options)
    return network.double(), clips(num_clips=2, size=32).double()


def assert_same_results(on, there, actual, network, expected):
    assert_all_close([on.fetch(y) for y in actual], expected)
    for name, lengths in lengths_of(network).items():
        assert lengths_of(there)[name].tolist() == lengths.tolist()
