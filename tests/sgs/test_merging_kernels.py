"""The kernels for a GPU give what the operations of torch give.

Without a GPU they run in Triton's interpreter, if Triton is installed and
TRITON_INTERPRET=1 is set.
"""

import os
from dataclasses import replace

import pytest
import torch

from mmatfr.sgs import group_frames, merge_frames, merging
from mmatfr.sgs.merging import _add_at_once, _take_frames

pytest.importorskip('triton', reason='needs Triton')
INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
if not (INTERPRETED or torch.cuda.is_available()):
    pytest.skip('needs a GPU or TRITON_INTERPRET=1', allow_module_level=True)

from mmatfr.sgs import merging_kernels as kernels  # noqa: E402

DEVICE = 'cpu' if INTERPRETED else 'cuda'
LAYOUTS = [torch.contiguous_format, torch.channels_last_3d]
# Clips, channels, frames and pixels: more than a tile of pixels, of rows, and
# less; frames in number no power of two.
SHAPES = [
    (2, 3, 5, 4, 4),
    (1, 300, 7, 3, 3),
    (3, 2, 4, 33, 40),
    (1, 9, 3, 33, 40),
]
DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]


def make(shape, layout, dtype):
    torch.manual_seed(0)
    num_clips, _, num_frames = shape[:3]
    # Groups of frames that are not neighbours, too.
    groups = group_frames(torch.rand(num_clips, num_frames), num_bins=3)
    groups = groups.to(torch.device(DEVICE))
    x = torch.randn(shape).to(DEVICE, dtype).clone(memory_format=layout)
    sums = torch.promote_types(dtype, torch.float32)
    return x, groups.weight.to(sums), groups


def empty(x, num_groups, layout, dtype):
    shape = 1, x.shape[1], num_groups, *x.shape[3:]
    return torch.empty(
        shape, dtype=dtype, device=x.device, memory_format=layout
    )


def assert_equal_but_rounding(actual, expected):
    # A product and its sum may be rounded once or twice.
    scale = expected.abs().max().item()
    eps = torch.finfo(actual.dtype).eps
    torch.testing.assert_close(actual, expected, rtol=0, atol=2 * eps * scale)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('shape', SHAPES)
def test_merge(shape, layout, dtype):
    x, weight, groups = make(shape, layout, dtype)
    expected = empty(x, groups.num_groups, layout, weight.dtype)
    _add_at_once(expected, x, weight, groups.index)
    actual = empty(x, groups.num_groups, layout, dtype)
    kernels.merge(actual, x, weight, groups.index)
    assert_equal_but_rounding(actual, expected.to(dtype))


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('shape', SHAPES)
def test_spread(shape, layout, dtype):
    x, weight, groups = make(shape, layout, dtype)
    grad = empty(x, groups.num_groups, torch.contiguous_format, dtype)
    grad.normal_()
    expected = _take_frames(grad, x, groups.index)
    expected = expected * weight[:, None, :, None, None]
    actual = kernels.spread(grad, x, weight, groups.index)
    assert actual.dtype == dtype
    assert actual.is_contiguous(memory_format=layout)
    assert_equal_but_rounding(actual, expected.to(dtype))


def test_maps_that_are_a_view():
    x, weight, groups = make((2, 6, 5, 4, 4), LAYOUTS[0], torch.float32)
    part = x[:, ::2]
    expected = empty(part, groups.num_groups, LAYOUTS[0], weight.dtype)
    _add_at_once(expected, part, weight, groups.index)
    actual = torch.empty_like(expected)
    kernels.merge(actual, part, weight, groups.index)
    assert_equal_but_rounding(actual, expected)
    grad = kernels.spread(expected, part, weight, groups.index)
    wanted = _take_frames(expected, part, groups.index)
    assert_equal_but_rounding(grad, wanted * weight[:, None, :, None, None])


def test_a_clip_with_values_that_are_not_finite_leaves_others_alone():
    x, weight, groups = make((2, 3, 5, 4, 4), LAYOUTS[0], torch.float32)
    x[0, 1, 2] = float('nan')
    merged = empty(x, groups.num_groups, LAYOUTS[0], weight.dtype)
    kernels.merge(merged, x, weight, groups.index)
    place = int(groups.index[0, 2])
    others = [group for group in range(groups.num_groups) if group != place]
    assert merged[:, 1, place].isnan().all()
    assert merged[:, :, others].isfinite().all()


@pytest.mark.parametrize('layout', LAYOUTS)
def test_gradients_agree_with_finite_differences(layout, monkeypatch):
    monkeypatch.setattr(merging, '_use_kernels', lambda x, weight: True)
    x, weight, groups = make((2, 3, 5, 2, 2), layout, torch.float64)
    torch.autograd.gradcheck(
        lambda x, weight: merge_frames(x, replace(groups, weight=weight)),
        (x.requires_grad_(), weight.requires_grad_()),
    )


def test_falls_back_if_the_kernels_cannot_be_compiled(monkeypatch):
    def fail(*args):
        raise RuntimeError('Failed to find C compiler')

    monkeypatch.setattr(kernels, 'merge', fail)
    merging._kernels_work.cache_clear()
    with pytest.warns(UserWarning, match='Failed to find C compiler'):
        assert not merging._kernels_work(torch.device(DEVICE))
    merging._kernels_work.cache_clear()
    monkeypatch.undo()
    assert merging._kernels_work(torch.device(DEVICE))
