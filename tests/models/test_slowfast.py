"""SlowFast: two pathways that sample."""

import pytest
import torch
from tiny_backbones import assert_all_close, build, clips, lengths_of

from mmatfr.sgs import equal_groups


class TestSlowFast:
    @pytest.mark.parametrize('lateral_length', ['longer', 'slow', 'frames'])
    @pytest.mark.parametrize('off', ['slow_path', 'fast_path', None])
    def test_pathways_one_by_one(self, off, lateral_length):
        sgs = {name: dict(stage=1) for name in ('slow_path', 'fast_path')}
        sgs[off] = None
        sgs.pop(None, None)
        backbone = build(
            'slowfast', sgs=sgs, lateral_length=lateral_length
        ).eval()
        assert set(lengths_of(backbone)) == {k for k, v in sgs.items() if v}
        x = clips(5, num_frames=32)
        with torch.no_grad():
            backbone.execution = 'packed'
            packed = backbone(x)
            backbone.execution = 'sequential'
            assert_all_close(backbone(x), packed)
            alone = zip(*(backbone(clip[None]) for clip in x), strict=True)
            assert_all_close([torch.cat(out) for out in alone], packed)
        frames = [out.shape[2] for out in packed]
        assert frames == [
            8 if off == 'slow_path' else 1,
            32 if off == 'fast_path' else 1,
        ]
        backbone.readout = 'frames'
        assert [out.shape[2] for out in backbone(x)] == [8, 32]

    @pytest.mark.parametrize(
        'lateral_length,lengths', [('longer', (5, 8)), ('slow', (5, 5))]
    )
    def test_alignment(self, lateral_length, lengths):
        backbone = build(
            'slowfast', sgs=dict(), lateral_length=lateral_length
        ).eval()
        slow, fast = backbone.pathways.values()
        slow.layer.binning = lambda m: equal_groups(m, 5)
        fast.layer.binning = lambda m: equal_groups(m, 32)  # lateral: 8
        seen = []
        backbone.slow_path.layer2.register_forward_pre_hook(
            lambda module, args: seen.append(args[0])
        )
        with torch.no_grad():
            backbone(clips(1, num_frames=32))
        (x,) = seen
        assert x.shape[2] == max(lengths)
        width = x.shape[1] - 16 // 4 * 2  # the lateral channels come last
        empty = (x[0, :width].abs().amax(dim=(0, 2, 3)) == 0).tolist()
        # One zero frame in front and two behind.
        pads = [True] + 5 * [False] + [True] * 2
        assert empty == (pads if lateral_length == 'longer' else [False] * 5)
        assert x[0, width:].abs().amax(dim=(0, 2, 3)).all()
        assert slow.lengths.tolist() == [5]

    @pytest.mark.parametrize('lateral_length', ['longer', 'slow'])
    def test_readout_frames_takes_each_frames_own_map(self, lateral_length):
        backbone = build(
            'slowfast',
            sgs=dict(),
            lateral_length=lateral_length,
            readout='frames',
            execution='packed',
        ).eval()
        slow, fast = backbone.pathways.values()
        slow.layer.binning = lambda m: equal_groups(m, [5, 3])  # of 8
        fast.layer.binning = lambda m: equal_groups(m, 32)  # lateral: 8
        seen = []
        for path in (backbone.slow_path, backbone.fast_path):
            path.layer4.register_forward_hook(
                lambda module, args, out: seen.append(out)
            )
        with torch.no_grad():
            outputs = backbone(clips(2, num_frames=32, size=24))
        groups = [[0, 0, 1, 1, 2, 3, 3, 4], [0, 0, 0, 1, 1, 1, 2, 2]]
        # Of 8 frames, 1 and 2 of padding lie in front of the groups.
        starts = [1, 8 + 2] if lateral_length == 'longer' else [0, 5]
        (maps, fast_maps) = (packed[0].transpose(0, 1) for packed in seen)
        assert len(maps) == (16 if lateral_length == 'longer' else 8)
        assert outputs[0].equal(
            torch.stack(
                [
                    torch.stack([maps[start + g] for g in of_clip], dim=1)
                    for start, of_clip in zip(starts, groups, strict=True)
                ]
            )
        )
        assert outputs[1].equal(
            fast_maps.unflatten(0, (2, 32)).transpose(1, 2)
        )

    @pytest.mark.parametrize('off', ['slow_path', 'fast_path', None])
    def test_lateral_maps_of_frames(self, off):
        sgs = {name: dict(stage=0) for name in ('slow_path', 'fast_path')}
        sgs[off] = None
        sgs.pop(None, None)
        backbone = build('slowfast', sgs=sgs, lateral_length='frames').eval()
        plain = build('slowfast').eval()
        plain.load_state_dict(backbone.state_dict(), strict=False)
        # Pairs of equal frames, which a group of two merges without a loss.
        slow, fast = (
            backbone.pathways.get(f'{name}_path') for name in ('slow', 'fast')
        )
        seen = []
        for model in (backbone, plain):
            model.slow_path.conv1_lateral.register_forward_hook(
                lambda module, args, out: seen.append((args[0], out))
            )
        if fast is not None:
            fast.layer.binning = lambda m: equal_groups(m, 16)
        if slow is not None:
            slow.layer.binning = lambda m: equal_groups(m, m.shape[1])
        x = clips(2, num_frames=32)
        with torch.no_grad():
            backbone.execution = 'packed'
            out = backbone(x)
            expected = plain(x)
        (given, lateral), (full, _) = seen
        if fast is not None:
            full = full.unflatten(2, (16, 2)).mean(3)
            full = full.repeat_interleave(2, dim=2)
        assert_all_close([given], [full])
        assert lateral.shape[2] == 8
        if fast is None:  # every frame of the slow pathway is kept
            assert_all_close([out[0]], [expected[0].mean(dim=2, keepdim=True)])

    @pytest.mark.parametrize(
        'options,match',
        [
            (dict(lateral_length='foo'), "'longer', 'slow', 'frames'"),
            (
                dict(sgs=dict(slow_path=dict(), quick_path=dict())),
                r"sgs.quick_path=.* is unknown.*'fast_path', 'slow_path'",
            ),
            (dict(sgs=dict(slow_path=dict(stage=7))), 'sgs.slow_path.stage=7'),
        ],
    )
    def test_bad_options_are_named(self, options, match):
        with pytest.raises(ValueError, match=match):
            build('slowfast', **options)
