"""Layouts of clips, and the places of a network where they change."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged_runs import (
    CHANNELS,
    LENGTHS,
    clips_of,
    convert,
    network,
    run_packed,
)
from torch import nn

from mmatfr.ragged import (
    PROBE_FRAMES,
    Clips,
    Layout,
    Ragged,
    Route,
    Window,
    pack,
    register_per_frame,
    register_ragged_form,
    start_run,
    watch_places,
)


def test_layout_and_window():
    with pytest.raises(ValueError, match=r'positive integers.*\[2, 0\]'):
        Layout([2, 0])
    layout = Layout([3, 2])
    assert (layout.num_clips, layout.num_frames) == (2, 5)
    assert [Window(3, 2, 1).output_length(n) for n in (3, 2)] == [2, 1]
    x = torch.arange(5.0).view(1, 1, 5, 1, 1)
    assert layout.mean(x).flatten().tolist() == [1, 3.5]
    assert layout.max(x).flatten().tolist() == [2, 4]
    assert layout.expand(layout.max(x)).flatten().tolist() == [2, 2, 2, 4, 4]


@settings(max_examples=60, deadline=None)
@given(lengths=LENGTHS, data=st.data())
def test_fit_pads_and_crops_in_the_middle(lengths, data):
    fitted = data.draw(
        st.lists(
            st.integers(1, 12), min_size=len(lengths), max_size=len(lengths)
        )
    )
    clips = clips_of(lengths, size=(2, 1))
    x, layout = pack(clips)
    actual = Layout(fitted).split(layout.fit(x, fitted))
    for clip, out, new in zip(clips, actual, fitted, strict=True):
        missing = max(new - clip.shape[2], 0)
        front = max(clip.shape[2] - new, 0) // 2
        expected = nn.functional.pad(
            clip[:, :, front : front + new],
            (0, 0, 0, 0, missing // 2, missing - missing // 2),
        )
        assert out.equal(expected)


def test_edges_and_frames_along_the_first_axis():
    layout = Layout([3, 1, 2])
    first, last = layout.edges(torch.device('cpu'))
    assert first.tolist() == [0, 3, 4] and last.tolist() == [2, 3, 5]
    clips = [torch.rand(n, 4, 2, 2) for n in (3, 1, 2)]
    x, packed = pack(clips)
    assert packed.lengths == (3, 1, 2) and x.shape == (6, 4, 2, 2)
    assert all(a.equal(b) for a, b in zip(packed.split(x), clips, strict=True))


def test_timeline_wastes_no_more_than_the_padding():
    layout = Layout([5, 1, 7])
    x = torch.ones(1, 1, 13, 1, 1)
    timeline, _ = layout.slide(x, Window(kernel=3, padding=1))
    # One frame of fill before, between and after the clips.
    assert timeline.flatten().tolist() == [0] + [1] * 5 + [0, 1, 0] + [
        1
    ] * 7 + [0]


def test_unseen_change_of_frames_is_not_silently_wrong():
    module = convert(nn.Conv3d(CHANNELS, 2, 3, padding=1))
    x = torch.rand(1, CHANNELS, 4, 5, 4)
    with start_run(module.route):
        module.route.begin(Clips(Layout([3, 2]), PROBE_FRAMES))
        with pytest.raises(RuntimeError, match=r'F=5, but got \(1, 4, 4, 5'):
            module(x)
        with pytest.raises(RuntimeError, match=r'F=5, but got \(2, 4, 5, 5'):
            module(torch.rand(2, CHANNELS, 5, 5, 4))
    assert module(x).shape == (1, 2, 4, 5, 4)


class Halve(nn.Module):
    def forward(self, x):
        return x[:, :, ::2]


register_per_frame(Halve)  # a false declaration


def test_unseen_change_of_frames_is_refused_when_the_network_is_built():
    module = nn.Sequential(Halve(), nn.Conv3d(CHANNELS, 2, 3, padding=1))
    with pytest.raises(
        ValueError, match='before `layer3.1`, a module without'
    ):
        convert(module)


def test_place_of_a_module_is_that_of_its_first_input():
    class Add(nn.Module):
        def forward(self, x, y):
            return x[:, :, ::2] + y

    add = Add()
    x = torch.rand(1, 1, 8, 2, 2)
    with watch_places(add) as places:
        add(x, x[:, :, :4])
    assert places == {add: {(8, 4)}}
    route = Route(start=8)
    assert not route.is_running
    with start_run(route):
        assert route.is_running
    assert not route.is_running


def test_module_that_runs_at_two_places_is_refused():
    pool = nn.MaxPool3d((2, 1, 1))
    with pytest.raises(ValueError, match=r'\[128, 256\] frames.*separate'):
        convert(nn.Sequential(pool, pool))


class Branches(nn.Module):
    """Both halve clips only if the number of frames is even."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(CHANNELS, 2, 3, (2, 1, 1), 1)
        self.pool = nn.MaxPool3d((2, 1, 1))

    def forward(self, x):
        return torch.cat([self.conv(x), self.pool(x)], dim=1)


register_per_frame(Branches)


def test_ways_to_a_place_that_differ_are_refused():
    with pytest.raises(
        ValueError, match='layer3.pool`.* 3 frames into 1,.* 2;'
    ):
        convert(Branches())


def test_equal_numbers_of_frames_in_other_clips_are_told_apart():
    """Clips of 3 and 3 frames, with the same total as 4 and 2 before."""

    class Cut(nn.Module):
        def forward(self, x):
            return x[:, :, :3]

    @register_ragged_form(Cut)
    class RaggedCut(Ragged):
        def output_length(self, length):
            return 3

        def forward_ragged(self, x, layout):
            clips = [
                torch.cat([clip, clip], dim=2)[:, :, :3]
                for clip in layout.split(x)
            ]
            return torch.cat(clips, dim=2)

    torch.manual_seed(0)
    module = nn.Sequential(
        Cut(), nn.Conv3d(CHANNELS, CHANNELS, 3, padding=1)
    ).double()
    plain = copy.deepcopy(module)
    x, layout = pack(clips_of([4, 2]))
    first, second = layout.split(x)
    actual = run_packed(convert(module), x, layout)
    expected = torch.cat(
        [
            plain[1](clip)
            for clip in (
                first[:, :, :3],
                torch.cat([second, second], dim=2)[:, :, :3],
            )
        ],
        dim=2,
    )
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_threads_do_not_see_each_others_clips():
    module = convert(nn.Conv3d(CHANNELS, 2, 3, padding=1)).double()
    batches = [pack(clips_of(lengths)) for lengths in ([4, 1], [2, 3])]
    expected = [run_packed(module, *batch) for batch in batches]
    inside = threading.Barrier(2)

    def work(batch):
        x, layout = batch
        with start_run(module.route):
            module.route.begin(Clips(layout, PROBE_FRAMES))
            inside.wait(timeout=60)
            return module(x)

    with ThreadPoolExecutor(2) as threads:
        actual = [*threads.map(work, batches)]
    assert all(map(torch.equal, actual, expected))


def test_checkpointed_block_runs_again_in_another_thread():
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        module = convert(network(with_cp)).double()
        loss = run_packed(module, *pack(clips_of([5, 2, 3]))).square().sum()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(loss.backward).result()
        gradients.append([p.grad for p in module.parameters()])
    torch.testing.assert_close(*gradients)
