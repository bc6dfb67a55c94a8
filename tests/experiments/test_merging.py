"""What is passed on for a group, other than the mean of its frames."""

import pytest
import torch

from mmatfr.experiments.merging import (
    keep_first,
    keep_middle,
    spread_groups,
)
from mmatfr.experiments.tempo_rows import ROWS
from mmatfr.models import ATFRResNet3d
from mmatfr.sgs import SGS, equal_groups

STEPS = torch.tensor([[0.0, 0, 0, 1, 0, 1], [0.0, 1, 0, 0, 0, 1]])
MAGNITUDE = STEPS.cumsum(dim=1)


@pytest.fixture
def layer():
    layer = SGS(in_channels=4, preset='path', num_bins=3, bin_range='clip')
    # The first clip has groups of 3, 2 and 1 frames, the second of 1, 4, 1.
    layer.similarity = lambda z: MAGNITUDE.to(z)
    return layer


@pytest.fixture
def x():
    return torch.rand(2, 4, 6, 9, 9)


@pytest.mark.parametrize(
    'change, frames',
    [
        (keep_first, [[0, 3, 5], [0, 1, 5]]),
        (keep_middle, [[1, 3, 5], [0, 2, 5]]),
    ],
)
@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last_3d]
)
def test_one_frame_of_each_group_is_kept(
    layer, x, change, frames, memory_format
):
    change(layer)
    maps, lengths = layer(x.contiguous(memory_format=memory_format))
    assert lengths.tolist() == [3, 3]
    wanted = [clip[:, own] for clip, own in zip(x, frames, strict=True)]
    assert torch.equal(maps[0], torch.cat(wanted, dim=1))


@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last_3d]
)
def test_merged_maps_are_repeated_for_all_frames(layer, x, memory_format):
    x = x.contiguous(memory_format=memory_format)
    merged, _ = layer(x)
    index = layer.groups.index
    spread_groups(layer)
    maps, lengths = layer(x)
    assert lengths.tolist() == [6, 6]
    assert maps.is_contiguous(memory_format=memory_format)
    assert torch.equal(maps, merged[:, :, index.flatten()])
    assert layer.groups.index.flatten().tolist() == list(range(12))


def test_later_stages_see_all_frames():
    torch.manual_seed(0)
    backbone = ATFRResNet3d(
        depth=18,
        pretrained=None,
        base_channels=8,
        conv1_kernel=(3, 5, 5),
        with_pool2=False,
        sgs=dict(preset='path', stage=0, num_bins=4),
    ).eval()
    clips = torch.rand(2, 3, 8, 32, 32)
    with torch.no_grad():
        merged = backbone(clips)
        layer = backbone.sgs
        spread_groups(layer)
        spread = backbone(clips)
        assert backbone.lengths.tolist() == [8, 8]
        # With all frames in separate groups, repeating changes nothing.
        layer.binning = lambda magnitude: equal_groups(magnitude, 8)
        whole = backbone(clips)
        layer._forward_hooks.clear()
        assert torch.equal(backbone(clips), whole)
    assert not torch.allclose(spread, merged, rtol=1e-3)
    assert not torch.allclose(spread, whole, rtol=1e-3)


def test_rows_that_merge_otherwise_are_tested_separately():
    rows = ['', '_first', '_middle', '_spread']
    rows = [ROWS[f'inserted_learned_path{suffix}'] for suffix in rows]
    assert [row.grouping for row in rows] == [
        None,
        'keep_first',
        'keep_middle',
        'spread_groups',
    ]
