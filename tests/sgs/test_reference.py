"""SGS against arrays made by running the authors' code.

See tests/data/README.md. Names of a case: kernel/distance/bins/mode.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from mmatfr.sgs import SGS, group_frames, merge_frames

REFERENCE = np.load(Path(__file__).parents[1] / 'data' / 'sgs_reference.npz')
PARAMETERS = {'fc.0': 'fc1', 'fc.2': 'fc2', 'bn': 'bn'}
SIMILARITIES = dict(L2='l2', L1='l1', Cosine='cosine')
CASES = list(product(SIMILARITIES, ('-1', '4'), ('train', 'eval')))


def rename(key: str) -> str:
    """From the authors' parameter names to ours."""
    module, name = key.rsplit('.', 1)
    return f'{PARAMETERS[module]}.{name}'


def build(kernel: str, distance: str, bins: str, mode: str) -> SGS:
    sgs = SGS(
        in_channels=6,
        num_bins=None if bins == '-1' else int(bins),
        similarity=SIMILARITIES[distance],
        kernel=kernel.split('_')[0],
        normalize=kernel.endswith('_normalized'),
    )
    sgs.load_state_dict(
        {
            rename(key[2:]): torch.tensor(REFERENCE[key])
            for key in REFERENCE
            if key.startswith('w.')
        }
    )
    return sgs.train(mode == 'train')


def reference(case: str, key: str) -> torch.Tensor:
    return torch.tensor(REFERENCE[f'{case}/{key}'])


def clips() -> torch.Tensor:
    return torch.tensor(REFERENCE['input'])


def padded(maps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The authors' layout: padded with zeros to the longest clip."""
    out = maps.new_zeros(
        len(lengths), maps.shape[1], int(lengths.max()), *maps.shape[3:]
    )
    for i, clip in enumerate(maps.split(lengths.tolist(), dim=2)):
        out[i, :, : clip.shape[2]] = clip[0]
    return out


@pytest.mark.parametrize('distance,bins,mode', CASES)
def test_linear_output_and_every_gradient(distance, bins, mode):
    case = f'linear/{distance}/{bins}/{mode}'
    sgs = build('linear', distance, bins, mode)
    x = clips().requires_grad_()
    maps, lengths = sgs(x)
    out = padded(maps, lengths)
    torch.testing.assert_close(
        sgs.magnitude, reference(case, 'aux.dist_raw'), rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(
        out, reference(case, 'output'), rtol=1e-4, atol=2e-5
    )

    (out * reference(case, 'cotangent')).sum().backward()
    gradients = {'input': x.grad}
    gradients.update(
        {
            key: dict(sgs.named_parameters())[rename(key)].grad
            for key in (
                'fc.0.weight',
                'fc.0.bias',
                'fc.2.weight',
                'fc.2.bias',
                'bn.weight',
                'bn.bias',
            )
        }
    )
    expected = {key: reference(case, f'grad.{key}') for key in gradients}
    scale = max(float(grad.abs().max()) for grad in expected.values())
    for key, grad in gradients.items():
        torch.testing.assert_close(
            grad,
            expected[key],
            rtol=1e-3,
            atol=1e-5 * scale,
            msg=lambda text, key=key: f'{key}: {text}',
        )
    if mode == 'train':
        for name in ('running_mean', 'running_var'):
            torch.testing.assert_close(
                getattr(sgs.bn, name), reference(case, f'after.bn.{name}')
            )


@pytest.mark.parametrize('distance,bins,mode', CASES)
def test_linear_normalized_output(distance, bins, mode):
    case = f'linear_normalized/{distance}/{bins}/{mode}'
    maps, lengths = build('linear_normalized', distance, bins, mode)(clips())
    torch.testing.assert_close(
        padded(maps, lengths), reference(case, 'output'), rtol=1e-4, atol=2e-5
    )


@pytest.mark.parametrize('kernel', ['delta', 'delta_normalized'])
@pytest.mark.parametrize('distance,bins,mode', CASES)
def test_delta_output(kernel, distance, bins, mode):
    case = f'{kernel}/{distance}/{bins}/{mode}'
    # In these files rounding happened to keep the frame on the last edge.
    assert (reference(case, 'aux.max_frame_weight') > 0).all()
    maps, lengths = build(kernel, distance, bins, mode)(clips())
    torch.testing.assert_close(
        padded(maps, lengths), reference(case, 'output'), rtol=1e-4, atol=2e-5
    )


def published_indicator(magnitude: torch.Tensor) -> torch.Tensor:
    """Which bins hold which frames in the authors' `delta`, (N, B, T).

    Their order of operations, which decides what happens on the last edge.
    """
    num_bins = magnitude.shape[1]
    scale = 2 * num_bins / magnitude.max(dim=1, keepdim=True).values
    distance = magnitude * scale
    step = distance.max(dim=1, keepdim=True).values / num_bins
    centres = torch.arange(num_bins) * step + step / 2
    offset = distance[:, None] - centres[..., None]
    return offset.abs() <= step[..., None] / 2


def test_frame_of_maximal_magnitude_is_kept_where_rounding_loses_it():
    magnitude = torch.rand(500, 12, generator=torch.manual_seed(0))
    peak = magnitude.argmax(dim=1, keepdim=True)
    held = published_indicator(magnitude).any(dim=1).gather(1, peak)[:, 0]
    assert 0 < held.sum() < 500, 'the published rule loses some, not all'

    groups = group_frames(magnitude)
    one_hot = torch.eye(12).expand(500, 12, 12)[..., None, None]
    members = merge_frames(one_hot, groups)[0, :, :, 0, 0]
    # Every frame, the one of maximal magnitude included, is in one group.
    for clip in members.split(groups.lengths.tolist(), dim=1):
        assert ((clip > 0).sum(dim=1) == 1).all()
