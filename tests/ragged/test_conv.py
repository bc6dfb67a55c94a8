"""Faster convolutions give the same results as torch's."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from mmatfr.ragged import conv3d

# Kernel, stride, padding, dilation.
FORMS = {
    'pixel': ((1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    'pixel_strided': ((1, 1, 1), (1, 2, 2), (0, 0, 0), (1, 1, 1)),
    'frame': ((1, 3, 3), (2, 2, 2), (0, 1, 1), (1, 1, 1)),
    'time': ((3, 1, 1), (1, 1, 1), (1, 0, 0), (1, 1, 1)),
    'time_dilated': ((3, 1, 1), (2, 1, 1), (2, 0, 0), (2, 1, 1)),
    'full': ((3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
    'full_strided': ((3, 3, 3), (2, 2, 2), (1, 1, 1), (1, 1, 1)),
}


@pytest.fixture(autouse=True)
def two_threads():
    """Memory errors of oneDNN in gradients need more than one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last_3d]
)
@pytest.mark.parametrize('form', FORMS)
def test_equals_torch(form, memory_format):
    kernel, *options = FORMS[form]
    torch.manual_seed(0)
    for num_clips, num_frames, size, groups, with_bias in itertools.product(
        (1, 2), (1, 2, 7), (1, 5, 13), (1, 2), (False, True)
    ):
        x = torch.randn(num_clips, 4, num_frames, size, size)
        x = x.contiguous(memory_format=memory_format).requires_grad_()
        weight = torch.randn(6, 4 // groups, *kernel, requires_grad=True)
        bias = torch.randn(6, requires_grad=True) if with_bias else None
        inputs = [x, weight, *([bias] if with_bias else [])]
        outputs, gradients, flops = [], [], []
        for function in (conv3d, F.conv3d):
            with FlopCounterMode(display=False) as counter:
                out = function(x, weight, bias, *options, groups)
            outputs.append(out)
            gradients.append(torch.autograd.grad(out.square().sum(), inputs))
            flops.append(counter.get_total_flops())
        torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-3)
        assert flops[0] == flops[1] > 0


@pytest.mark.parametrize('only', [None, 0, 1], ids=['both', 'x', 'weight'])
@pytest.mark.parametrize('kernel', [(3, 3, 3), (2, 1, 3)])
def test_gradient_of_a_depthwise_kernel(kernel, only):
    torch.manual_seed(0)
    for stride, num_frames, padding in (
        ((1, 1, 1), 7, 1),
        ((1, 2, 2), 7, 0),
        ((1, 2, 2), 1, 3),
    ):
        inputs = [
            torch.randn(2, 16, num_frames, 6, 5).contiguous(
                memory_format=torch.channels_last_3d
            ),
            torch.randn(16, 1, *kernel),
        ]
        asked = inputs if only is None else [inputs[only]]
        for tensor in asked:
            tensor.requires_grad_()
        options = stride, (padding, 1, 1), (1, 1, 1), 16
        out = conv3d(*inputs, None, *options)
        assert '_DepthwiseConv3d' in out.grad_fn.name()
        exact = F.conv3d(
            *(tensor.double() for tensor in inputs), None, *options
        )
        for own, true in zip(
            torch.autograd.grad(out.square().sum(), asked),
            torch.autograd.grad(exact.square().sum(), asked),
            strict=True,
        ):
            scale = true.abs().max()
            torch.testing.assert_close(
                own / scale, true / scale, rtol=0, atol=1e-5
            )


@pytest.mark.parametrize('form', FORMS)
def test_keeps_channels_last(form):
    kernel, *options = FORMS[form]
    x = torch.randn(1, 4, 4, 6, 6)
    x = x.contiguous(memory_format=torch.channels_last_3d)
    out = conv3d(x, torch.randn(6, 4, *kernel), None, *options, 1)
    assert out.is_contiguous(memory_format=torch.channels_last_3d)
