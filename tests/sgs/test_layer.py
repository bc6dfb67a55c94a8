"""The layer: shapes, edge cases, bins of the data, precision."""

import pytest
import torch
import torch.nn.functional as F

from mmatfr.sgs import SGS, group_frames

CHOICES = [
    dict(),
    dict(kernel='linear'),
    dict(kernel='linear', normalize=True),
    dict(kernel='delta', normalize=False),
    dict(similarity='l2'),
    dict(similarity='l1', order='time'),
    dict(similarity='cosine', contiguous=True),
    dict(num_bins=4, contiguous=True, order='time'),
    dict(similarity='path'),
    dict(similarity='path_squared', grid=2),
    dict(similarity='path_squared', grid=3, embedding='identity'),
    dict(
        similarity='path_squared',
        grid=2,
        embedding='identity',
        border=1,
        magnitude_grad=False,
        num_bins=6,
    ),
    dict(bin_range='data', num_bins=5),
    dict(
        similarity='path',
        grid=2,
        embedding='identity',
        magnitude_grad=False,
        bin_range='data',
    ),
]


def as_id(choice):
    return '-'.join(map(str, choice.values())) or 'paper'


def test_shapes_and_parameters():
    sgs = SGS(in_channels=6)
    maps, lengths = sgs(torch.rand(3, 6, 8, 2, 2))
    assert maps.shape == (1, 6, int(lengths.sum()), 2, 2)
    assert lengths.shape == (3,) and lengths.dtype == torch.int64
    assert lengths.device.type == 'cpu'
    assert {name.split('.')[0] for name in sgs.state_dict()} == {
        'fc1',
        'fc2',
        'bn',
    }
    assert sgs.fc1.out_features == 3 and sgs.fc2.out_features == 8


@pytest.mark.parametrize('choice', CHOICES, ids=as_id)
@pytest.mark.parametrize('train', [True, False])
@pytest.mark.parametrize(
    'scene', ['still', 'zero', 'one', 'two equal', 'huge', 'half still']
)
def test_edge_cases_are_finite(choice, train, scene):
    x = torch.randn(2, 6, 8, 3, 3, generator=torch.manual_seed(0))
    x = {
        'still': x[:, :, :1].expand_as(x).clone(),
        'zero': torch.zeros_like(x),
        'one': x[:, :, :1].clone(),
        'two equal': x[:, :, :1].repeat(1, 1, 2, 1, 1),
        'huge': 1e4 * x,
        'half still': torch.cat(
            [x[:, :, :1].expand(-1, -1, 4, -1, -1), x[:, :, 4:]], dim=2
        ),
    }[scene].requires_grad_()
    sgs = SGS(6, **choice).train(train)
    maps, lengths = sgs(x)
    assert maps.isfinite().all()
    if scene in ('still', 'zero', 'one', 'two equal'):
        assert lengths.tolist() == [1, 1]
        torch.testing.assert_close(maps[0].transpose(0, 1), x.mean(dim=2))
    maps.square().mean().backward()
    assert x.grad.isfinite().all()
    for parameter in sgs.parameters():
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize('choice', CHOICES, ids=as_id)
def test_rounding_is_not_motion(choice):
    """Also after a normalisation that amplifies rounding."""
    x = torch.rand(1, 6, 1, 3, 3).repeat(2, 1, 8, 1, 1)
    x *= 1 + 1e-7 * torch.randn(2, 6, 8, 3, 3)
    sgs = SGS(6, **choice).eval()
    if sgs.embedding == 'mlp_bn':
        z = sgs.fc2(sgs.relu(sgs.fc1(sgs.pool(x)))).detach()
        sgs.bn.running_mean.copy_(z.mean(dim=(0, 1)))
        sgs.bn.running_var.fill_(1e-9)
        sgs.bn.eps = 1e-30  # torch 2.11 refuses 0
    maps, lengths = sgs(x)
    assert lengths.tolist() == [1, 1]
    torch.testing.assert_close(maps[0].transpose(0, 1), x.mean(dim=2))


@pytest.mark.parametrize('bin_range', ['clip', 'data'])
@pytest.mark.parametrize('kernel', ['delta', 'linear'])
def test_similarity_that_is_never_positive(kernel, bin_range):
    sgs = SGS(
        6,
        similarity=lambda z: -z.square().sum(dim=-1),
        embedding='identity',
        kernel=kernel,
        bin_range=bin_range,
    )
    x = torch.rand(2, 6, 8, 3, 3)
    for mode in (True, False):
        maps, lengths = sgs.train(mode)(x)
        assert lengths.tolist() == [1, 1]
        torch.testing.assert_close(maps[0].transpose(0, 1), x.mean(dim=2))


def test_bins_of_the_data_are_as_wide_for_every_clip():
    """The path of a clip is cut into bins of a fixed width."""
    steps = torch.ones(3, 11)
    steps[1, :] *= 0.5
    steps[2, 3:] = 0
    x = F.pad(steps.cumsum(dim=1), (1, 0))[:, None, :, None, None]
    sgs = SGS(
        1,
        num_bins=4,
        similarity='path',
        embedding='identity',
        magnitude_grad=False,
        bin_range='data',
    )
    # Nothing has been seen: each clip has the bins of its own range.
    assert sgs.eval()(x)[1].tolist() == [4, 4, 4]
    # The mean path is (11 + 5.5 + 3) / 3 = 6.5 long and a bin 1.625 wide: 0
    # to 11 lie in bins 0 to 6, 0 to 5.5 in 0 to 3, 0 to 3 in 0 and 1.
    assert sgs.train()(x)[1].tolist() == [7, 4, 2]
    torch.testing.assert_close(sgs.running_peak, torch.tensor(6.5))
    assert sgs.eval()(x)[1].tolist() == [7, 4, 2]
    assert [sgs(clip)[1].item() for clip in x.split(1)] == [7, 4, 2]
    torch.testing.assert_close(sgs.running_peak, torch.tensor(6.5))
    # A plain mean at first, and a running one in the long run.
    sgs.train()(3 * x)
    torch.testing.assert_close(sgs.running_peak, torch.tensor(13.0))
    for _ in range(1000):
        sgs(3 * x)
    torch.testing.assert_close(
        sgs.running_peak, torch.tensor(19.5), rtol=1e-3, atol=0
    )
    sgs.load_state_dict(SGS(1, **{'bin_range': 'data'}).state_dict(), False)
    assert sgs.eval()(x)[1].tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    'seen,share', [(0, 1), (3, 1 / 4), (99, 1 / 100), (5000, 1 / 100)]
)
def test_range_of_the_data_is_a_plain_mean_up_to_a_hundred_batches(
    seen, share
):
    sgs = SGS(
        1,
        similarity='norm',
        embedding='identity',
        magnitude_grad=False,
        bin_range='data',
    ).double()
    sgs.num_batches_tracked.fill_(seen)
    sgs.running_peak.fill_(1.0)
    sgs(torch.full((1, 1, 3, 2, 2), 5.0, dtype=torch.float64))
    assert sgs.running_peak.item() == pytest.approx(1 + 4 * share, rel=1e-9)


@pytest.mark.parametrize('damage', [float('nan'), float('inf')])
def test_clips_that_are_not_finite_leave_the_range_of_the_data(damage):
    options = dict(
        similarity='norm',
        embedding='identity',
        magnitude_grad=False,
        bin_range='data',
    )
    sgs, expected = SGS(1, **options), SGS(1, **options)
    good = torch.tensor([2.0, 4.0]).view(2, 1, 1, 1, 1).repeat(1, 1, 3, 2, 2)
    bad = torch.full_like(good[:1], damage)
    sgs(bad)  # nothing has been seen
    assert sgs.running_peak == sgs.num_batches_tracked == 0
    for batch in (good, 2 * good):
        sgs(torch.cat([batch, bad]))
        sgs(bad)
        expected(batch)
    assert sgs.running_peak == expected.running_peak == 4.5
    assert sgs.num_batches_tracked == expected.num_batches_tracked == 2


def test_bins_of_the_data_that_are_empty_leave_no_group():
    magnitude = torch.tensor([[0.1, 5.2, 0.2, 9.9, 5.3]])
    groups = group_frames(magnitude, num_bins=2, peak=2.0)
    assert groups.index.tolist() == [[0, 1, 0, 2, 1]]
    groups = group_frames(magnitude, num_bins=2, peak=2.0, order='time')
    assert groups.index.tolist() == [[0, 1, 0, 2, 1]]
    groups = group_frames(
        magnitude, num_bins=2, peak=2.0, order='time', contiguous=True
    )
    assert groups.lengths.tolist() == [5]


def test_single_vector_in_training():
    x = torch.rand(1, 6, 1, 2, 2)
    maps, lengths = SGS(6).train()(x)
    assert maps.equal(x) and lengths.tolist() == [1]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('choice', CHOICES, ids=as_id)
def test_autocast_bins_as_in_single_precision(dtype, choice):
    sgs = SGS(6, **choice).eval()
    x = torch.randn(4, 6, 16, 4, 4, generator=torch.manual_seed(0)).to(dtype)
    _, expected = sgs(x.float())
    index = sgs.groups.index
    with torch.autocast('cpu', dtype=dtype):
        maps, lengths = sgs(x.clone().requires_grad_())
    assert sgs.magnitude.dtype == torch.float32
    assert maps.dtype == dtype and maps.isfinite().all()
    assert lengths.equal(expected) and sgs.groups.index.equal(index)
    maps.float().mean().backward()
    for parameter in sgs.parameters():
        assert parameter.grad.isfinite().all()


def test_half_precision_survives_large_values():
    x = torch.full((1, 6, 16, 8, 8), 3e4, dtype=torch.float16)
    maps, lengths = SGS(6).eval()(x)
    assert lengths.tolist() == [1]
    torch.testing.assert_close(maps, x[:, :, :1])


@pytest.mark.parametrize('choice', CHOICES, ids=as_id)
def test_clips_do_not_depend_on_each_other(choice):
    torch.manual_seed(0)
    sgs = SGS(6, **choice).double().eval()
    x = torch.randn(8, 6, 10, 3, 3, dtype=torch.float64)
    x += 5 * torch.randn(8, 6, 10, 1, 1)
    maps, lengths = sgs(x)
    assert len(set(lengths.tolist())) > 1
    alone = [sgs(clip[None]) for clip in x]
    assert [int(length) for _, length in alone] == lengths.tolist()
    torch.testing.assert_close(
        maps, torch.cat([m for m, _ in alone], dim=2), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize('kernel,bound', [('delta', 1e-6), ('linear', 0.05)])
def test_rounding_of_the_features_moves_outputs_within_a_bound(kernel, bound):
    """That of docs/limits.md: noise of 1e-7 of each feature."""
    worst = 0.0
    for seed in range(150):
        torch.manual_seed(seed)
        layer = SGS(
            6,
            kernel=kernel,
            similarity=('norm', 'path', 'l2')[seed % 3],
            embedding=('mlp_bn', 'identity')[seed // 3 % 2],
            num_bins=(None, 6, 12)[seed // 6 % 3],
        ).eval()
        x = torch.rand(8, 6, 12, 5, 5)
        share = (1e-4, 1e-3, 1e-2)[seed % 3]
        x[4:] = x[4:, :, :1] + share * (x[4:] - 0.5)  # nearly still
        with torch.no_grad():
            maps, lengths = layer(x)
            noisy, others = layer(x * (1 + 1e-7 * torch.randn_like(x)))
        assert others.tolist() == lengths.tolist()
        for frames, clip, moved in zip(
            x,
            maps.split(lengths.tolist(), 2),
            noisy.split(lengths.tolist(), 2),
            strict=True,
        ):
            off = (clip - moved).abs().max() / frames.abs().max()
            worst = max(worst, float(off))
    assert worst < bound
