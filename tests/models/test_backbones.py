"""Every backbone: outputs of clips in a batch, alone and without sampling."""

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from tiny_backbones import (
    BASES,
    SGS_CHOICES,
    assert_all_close,
    backbone_outputs,
    build,
    clips,
    lengths_of,
    run,
    sgs_of,
)

from mmatfr.ragged import frame_axis, take_clips
from mmatfr.sgs import equal_groups

# Backbones with different parts; slow ones are left out where they add
# nothing.
KINDS = [name for name in BASES if name not in ('tsm_block', 'slowonly')]


def normalise_similarity(backbone, x):
    """Sets the statistics of the layer's BN, so that magnitudes differ."""
    for layer in sgs_of(backbone):
        if layer.embedding == 'mlp_bn':
            layer.bn.train()
            layer.bn.momentum = 1.0
    with torch.no_grad():
        run(backbone, x)
    backbone.eval()


@pytest.mark.parametrize(
    'base,choice',
    [
        (base, choice)
        for base in BASES
        for choice in SGS_CHOICES
        if choice == 'default' or base in KINDS
        # These end in another module than a ReLU of a block.
        if not (
            base in ('mobilenet_tsm', 'tsm_non_local', 'non_local')
            and SGS_CHOICES[choice].get('pre_activation')
        )
    ],
)
def test_batch_invariance_in_both_executions(base, choice):
    backbone = build(base, sgs=SGS_CHOICES[choice], execution='packed').eval()
    x = clips(8)
    normalise_similarity(backbone, x)
    with torch.no_grad():
        packed = run(backbone, x)
        for lengths in lengths_of(backbone).values():
            assert lengths.shape == (8,)
        assert len(set(lengths.tolist())) > 1
        backbone.execution = 'sequential'
        sequential = run(backbone, x)
        alone = [
            torch.cat(outputs)
            for outputs in zip(
                *(run(backbone, clip[None]) for clip in x), strict=True
            )
        ]
    # A weight of the linear kernel is a difference of positions in [0, 2 B]:
    # it multiplies the rounding of a magnitude by up to 2 B.
    linear = SGS_CHOICES[choice].get('kernel') == 'linear'
    tolerance = 2 * 12 * 1e-6 if linear else 1e-5
    assert_all_close(packed, alone, tolerance)
    assert_all_close(sequential, alone, tolerance)


@pytest.mark.parametrize('base', BASES)
def test_without_sgs_it_is_the_base_bit_for_bit(base):
    plain, ours = build(base), build(base, sgs=None)
    assert list(plain.state_dict()) == list(ours.state_dict())
    x = clips(2)
    for mode in (True, False):
        plain.train(mode)
        for a, b in zip(run(plain, x), run(ours.train(mode), x), strict=True):
            assert a.equal(b)
    for key, value in plain.state_dict().items():
        assert ours.state_dict()[key].equal(value), key
    assert ours.lengths is None


@pytest.mark.parametrize('base', BASES)
def test_state_dict_adds_sgs_keys_only(base):
    plain, ours = build(base), build(base, sgs=dict())
    added = [key for key in ours.state_dict() if 'sgs' in key.split('.')]
    assert len(added) == 9 * len(sgs_of(ours))
    assert [key for key in ours.state_dict() if key not in added] == list(
        plain.state_dict()
    )
    missing = ours.load_state_dict(plain.state_dict(), strict=False)
    assert missing.unexpected_keys == []
    # torch fills in a missing `num_batches_tracked` without a word.
    assert set(missing.missing_keys) == {
        key for key in added if not key.endswith('num_batches_tracked')
    }
    load_state_dict(ours, ours.state_dict(), strict=True)


@pytest.mark.parametrize('base', BASES)
def test_full_resolution_gives_the_base(base):
    """T groups of one frame in time order: sampling changes nothing."""
    plain, ours = build(base), build(base, sgs=dict())
    ours.load_state_dict(plain.state_dict(), strict=False)
    plain.eval(), ours.eval()
    for layer in sgs_of(ours):
        layer.binning = lambda magnitude: equal_groups(
            magnitude, magnitude.shape[1]
        )
    with torch.no_grad():
        expected, actual = run(plain, clips(2)), run(ours, clips(2))
        assert_all_close(
            [out.mean(dim=2) for out in actual],
            [out.mean(dim=2) for out in expected],
        )
        ours.readout = 'frames'
        assert_all_close(run(ours, clips(2)), expected)


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize('base', KINDS)
def test_readout_frames_has_the_shape_of_the_base(base, execution):
    plain = build(base)
    plain.eval()  # mmaction2's returns None
    ours = build(
        base, sgs=dict(), readout='frames', execution=execution
    ).eval()
    ours.load_state_dict(plain.state_dict(), strict=False)
    x = clips(4)
    with torch.no_grad():
        expected, actual = run(plain, x), run(ours, x)
        alone = [
            torch.cat(outputs)
            for outputs in zip(
                *(run(ours, clip[None]) for clip in x), strict=True
            )
        ]
        assert [a.shape for a in actual] == [e.shape for e in expected]
        assert_all_close(actual, alone)
        # Frames of one group are given one map.
        run(ours, x)
        for layer, out in zip(sgs_of(ours), actual, strict=True):
            index = layer.groups.index
            if out.shape[2] != index.shape[1]:  # time was strided
                continue
            for i, clip in enumerate(out):
                for t in range(index.shape[1]):
                    twin = int((index[i] == index[i, t]).nonzero()[0])
                    assert clip[:, t].equal(clip[:, twin])


@pytest.mark.parametrize('base', ['r50_strided', 'r2plus1d', 'slowfast'])
def test_readout_frames_of_clips_of_several_lengths(base):
    """Independent of earlier forwards of the backbone."""
    plain = build(base)
    plain.eval()  # mmaction2's returns None
    ours = build(base, sgs=dict(), readout='frames').eval()
    for num_frames in (8, 16, 12, 8):
        x = clips(2, num_frames, size=24)
        with torch.no_grad():
            expected, actual = run(plain, x), run(ours, x)
        assert [a.shape for a in actual] == [e.shape for e in expected]


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize('readout', ['mean', 'frames'])
@pytest.mark.parametrize('base', ['x3d', 'slowfast', 'tsm'])
def test_hooks_see_the_clips_and_nothing_else(base, readout, execution):
    backbone = build(
        base, sgs=dict(), readout=readout, execution=execution
    ).eval()
    seen = []
    stage = backbone.slow_path if base == 'slowfast' else backbone
    stage.layer4.register_forward_hook(
        lambda module, args, out: seen.append(out)
    )
    with torch.no_grad():
        run(backbone, clips(2, size=24))
    assert len(seen) == (1 if execution == 'packed' else 2)
    assert all(out.device.type == 'cpu' for out in seen)
    name = 'slow_path.layer4' if base == 'slowfast' else 'layer4'
    index = backbone.group_of_frames(name)
    maps = torch.cat(seen, dim=frame_axis(seen[0]))
    assert index.unique().tolist() == list(range(maps.shape[frame_axis(maps)]))
    # The readout takes what hooks can take.
    if readout == 'frames' and base != 'x3d':
        with torch.no_grad():
            first, *_ = backbone_outputs(backbone, clips(2, size=24))
        assert take_clips(maps, index).equal(first)


def test_several_outputs_before_and_after_sampling():
    backbone = build('r18', sgs=dict(stage=2), out_indices=(0, 1, 3)).eval()
    plain = build('r18', sgs=None, out_indices=(0, 1, 3)).eval()
    plain.load_state_dict(
        {
            k: v
            for k, v in backbone.state_dict().items()
            if not k.startswith('sgs')
        }
    )
    x = clips(3)
    with torch.no_grad():
        outputs, expected = backbone(x), plain(x)
    assert_all_close(outputs[:1], expected[:1])
    assert [out.shape[2] for out in outputs] == [12, 1, 1]
    backbone.readout = 'frames'
    with torch.no_grad():
        assert [out.shape for out in backbone(x)] == [
            out.shape for out in expected
        ]
