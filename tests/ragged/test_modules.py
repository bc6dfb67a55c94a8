"""Every ragged module, packed, equals the module on each clip alone."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from mmatfr.benchmark.timing import peak_memory
from mmatfr.ragged import (
    PROBE_FRAMES,
    Clips,
    Layout,
    Ragged,
    RaggedSqueezeExcitation,
    Route,
    Window,
    convert_ragged,
    find_refusals,
    pack,
    register_per_frame,
    register_ragged_form,
    start_run,
    watch_places,
)

CHANNELS = 4
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


class SqueezeExcitation(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Conv3d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        return x * self.fc(x.mean(dim=(2, 3, 4), keepdim=True)).sigmoid()


@register_ragged_form(SqueezeExcitation)
class RaggedSE(RaggedSqueezeExcitation):
    def gate(self, mean):
        return self.fc(mean).sigmoid()


class Shuffle(nn.Module):
    def forward(self, x):
        return x.flip(dims=(2,))


def clips_of(lengths, dtype=torch.float64, size=(5, 4)):
    generator = torch.manual_seed(sum(lengths))
    return [
        torch.randn(1, CHANNELS, n, *size, dtype=dtype, generator=generator)
        for n in lengths
    ]


def convert(module):
    """Converts a module, which keeps its route."""
    weight = next(module.parameters(), torch.empty(0))
    clip = weight.new_zeros(1, CHANNELS, PROBE_FRAMES, 5, 4)
    with torch.no_grad(), watch_places(module) as places:
        was_training = module.training
        module.eval()(clip)
        module.train(was_training)
    module.route = Route(PROBE_FRAMES)
    return convert_ragged(module, module.route, places, 'layer3')


def run_packed(module, x, layout):
    """Runs a converted module on packed clips."""
    with start_run(module.route):
        module.route.begin(Clips(layout, PROBE_FRAMES))
        return module(x)


def assert_equals_alone(module, lengths, channels_last=False, atol=1e-9):
    """Values, gradients of the input and of every parameter."""
    module = module.double()
    ragged = convert(copy.deepcopy(module))
    alone = [clip.requires_grad_() for clip in clips_of(lengths)]
    expected = [module(clip) for clip in alone]

    x, layout = pack([clip.detach() for clip in alone])
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    x.requires_grad_()
    actual = run_packed(ragged, x, layout)
    actual = actual.split([out.shape[2] for out in expected], dim=2)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)

    cotangents = [torch.randn_like(out) for out in expected]
    for outputs in (actual, expected):
        sum(
            (out * cotangent).sum()
            for out, cotangent in zip(outputs, cotangents, strict=True)
        ).backward()
    torch.testing.assert_close(
        x.grad,
        torch.cat([clip.grad for clip in alone], dim=2),
        rtol=0,
        atol=atol,
    )
    for ours, theirs in zip(
        ragged.parameters(), module.parameters(), strict=True
    ):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=atol)


def fits(module, lengths):
    """Whether torch can run the module on each clip, forward and backward.

    The gradient of a max pool writes out of bounds if a window lies entirely
    in the padding (torch 2.13).
    """
    try:
        outputs = [module.double()(clip) for clip in clips_of(lengths)]
    except RuntimeError:
        return False
    return all(output.isfinite().all() for output in outputs)


@settings(max_examples=120, deadline=None)
@given(
    lengths=LENGTHS,
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
    groups=st.sampled_from([1, 2, CHANNELS]),
    bias=st.booleans(),
)
def test_convolution(lengths, kernel, stride, padding, dilation, groups, bias):
    conv = nn.Conv3d(
        CHANNELS,
        2 * CHANNELS,
        (kernel, 3, 1),
        (stride, 2, 1),
        (padding, 1, 0),
        (dilation, 1, 1),
        groups,
        bias,
    )
    assume(fits(conv, lengths))
    assert_equals_alone(conv, lengths)


@pytest.mark.parametrize(
    'kernel,padding', [(3, 'same'), (3, 'valid'), ((1, 3, 3), 'same')]
)
def test_convolution_with_named_padding(kernel, padding):
    assert_equals_alone(
        nn.Conv3d(CHANNELS, 2, kernel, padding=padding), [3, 5, 4]
    )


@settings(max_examples=120, deadline=None)
@given(
    data=st.data(),
    lengths=LENGTHS,
    kernel=st.integers(1, 4),
    stride=st.one_of(st.none(), st.integers(1, 4)),
    dilation=st.integers(1, 2),
    ceil_mode=st.booleans(),
    average=st.booleans(),
    include=st.booleans(),
    divisor=st.sampled_from([None, 3]),
)
def test_pools(
    data,
    lengths,
    kernel,
    stride,
    dilation,
    ceil_mode,
    average,
    include,
    divisor,
):
    padding = (data.draw(st.integers(0, kernel // 2)), 1, 0)
    stride = None if stride is None else (stride, 2, 1)
    if average:
        pool = nn.AvgPool3d(
            (kernel, 3, 2), stride, padding, ceil_mode, include, divisor
        )
    else:
        pool = nn.MaxPool3d(
            (kernel, 3, 2),
            stride,
            padding,
            (dilation, 1, 1),
            ceil_mode=ceil_mode,
        )
    assume(fits(pool, lengths))
    assert_equals_alone(pool, lengths)


@pytest.mark.parametrize('alone', [True, False])
@pytest.mark.parametrize('pool', [nn.MaxPool3d, nn.AvgPool3d])
def test_clip_shorter_than_a_pool_is_one_window(pool, alone):
    clips = clips_of([4, 1, 3, 1])
    ragged = convert(pool((2, 1, 1)))
    if alone:
        actual = torch.cat([ragged(clip) for clip in clips], dim=2)
    else:
        actual = run_packed(ragged, *pack(clips))
    expected = (
        [
            clips[0].unflatten(2, (2, 2)).mean(3),
            clips[1],
            clips[2][:, :, :2].mean(2, keepdim=True),
            clips[3],
        ]
        if pool is nn.AvgPool3d
        else [
            clips[0].unflatten(2, (2, 2)).amax(3),
            clips[1],
            clips[2][:, :, :2].amax(2, keepdim=True),
            clips[3],
        ]
    )
    torch.testing.assert_close(actual, torch.cat(expected, dim=2))


@settings(max_examples=30, deadline=None)
@given(
    lengths=LENGTHS,
    size=st.sampled_from([1, (1, 2, 3), (None, 1, 1), (1, None, None)]),
    kind=st.sampled_from([nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d]),
)
def test_adaptive_pools(lengths, size, kind):
    assert_equals_alone(kind(size), lengths)


@settings(max_examples=30, deadline=None)
@given(lengths=LENGTHS)
def test_squeeze_excitation(lengths):
    assert_equals_alone(SqueezeExcitation(), lengths)


def network(with_cp=False):
    """A stage with a stride, a residual branch and a gate."""

    class Block(nn.Module):
        def __init__(self, stride):
            super().__init__()
            self.conv1 = nn.Conv3d(
                CHANNELS, CHANNELS, 3, (stride, 1, 1), 1, groups=2
            )
            self.bn = nn.BatchNorm3d(CHANNELS)
            self.se = SqueezeExcitation()
            self.conv2 = nn.Conv3d(CHANNELS, CHANNELS, (5, 1, 1), 1, (2, 0, 0))
            self.relu = nn.ReLU(inplace=True)
            self.down = nn.Conv3d(CHANNELS, CHANNELS, 1, (stride, 1, 1))
            self.with_cp = with_cp

        def forward(self, x):
            out = self.conv2(self.se(self.bn(self.conv1(x))))
            return self.relu(out + self.down(x))

    register_per_frame(Block)
    return nn.Sequential(
        Block(2), Block(1), nn.MaxPool3d((2, 1, 1), ceil_mode=True), Block(2)
    ).eval()


@settings(max_examples=25, deadline=None)
@given(lengths=LENGTHS, channels_last=st.booleans(), with_cp=st.booleans())
def test_network(lengths, channels_last, with_cp):
    torch.manual_seed(0)
    assert_equals_alone(network(with_cp), lengths, channels_last)


def test_checkpointed_block_outlives_a_second_forward():
    torch.manual_seed(0)
    module = network(with_cp=True).double()
    plain = convert(network()).double()
    ragged = convert(module)
    plain.load_state_dict(ragged.state_dict())
    (first, layout), (second, other) = (
        pack(clips_of(lengths)) for lengths in ([5, 2, 3], [2, 4, 4])
    )
    gradients = []
    for model in (ragged, plain):
        outs = [
            run_packed(model, x, y)
            for x, y in ((first, layout), (second, other))
        ]
        sum(out.square().sum() for out in outs).backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-9)


def test_backward_pass_keeps_no_frames_between_clips():
    lengths, taps = [1] * 8, 7
    ragged = convert(
        nn.Sequential(
            *(
                nn.Conv3d(
                    CHANNELS, CHANNELS, (taps, 1, 1), 1, (taps // 2, 0, 0)
                )
                for _ in range(16)
            )
        )
    )
    x, layout = pack(clips_of(lengths))
    x = x.float().requires_grad_()
    kept = []
    # The timelines hold 35 frames for 8.
    memory = peak_memory(lambda: kept.append(run_packed(ragged, x, layout)))
    frame = x[:, :, :1].numel() * x.element_size()
    assert 16 * 8 * frame <= memory < 16 * 35 * frame
    kept[0].sum().backward()


def test_change_of_a_kept_input_is_noticed():
    ragged = convert(nn.Sequential(nn.Conv3d(CHANNELS, CHANNELS, 3, 1, 1)))
    x, layout = pack(clips_of([2, 3]))
    x = x.float()
    out = run_packed(ragged, x, layout)
    x.add_(1)
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        out.sum().backward()


def test_batch_normalisation_sees_real_frames_only():
    torch.manual_seed(0)
    lengths = [3, 1, 5]
    module = (
        nn.Sequential(
            nn.Conv3d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
            nn.BatchNorm3d(CHANNELS),
        )
        .double()
        .train()
    )
    reference = copy.deepcopy(module)
    ragged = convert(module)
    x, layout = pack(clips_of(lengths))
    run_packed(ragged, x, layout)
    convolved = torch.cat(
        [reference[0](clip) for clip in layout.split(x)], dim=2
    )
    reference[1](convolved)
    for name, value in reference[1].state_dict().items():
        torch.testing.assert_close(ragged[1].state_dict()[name], value)


def test_conversion_keeps_keys_and_plain_behaviour():
    torch.manual_seed(0)
    module = network()
    x = torch.randn(2, CHANNELS, 8, 5, 4)
    keys, expected = list(module.state_dict()), module(x)
    converted = convert(module)
    assert converted is module
    assert list(module.state_dict()) == keys
    # Up to rounding: on a CPU its convolutions are oneDNN's.
    torch.testing.assert_close(module(x), expected)
    assert convert_ragged(module, Route(8), {}) is module


@pytest.mark.parametrize(
    'duplicate',
    [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
    ids=['deepcopy', 'pickle'],
)
def test_copies_have_a_route_of_their_own(duplicate):
    module = convert(
        nn.Sequential(
            nn.MaxPool3d((3, 1, 1), 1, (1, 0, 0)), nn.Conv3d(CHANNELS, 2, 3)
        )
    ).double()
    clone = duplicate(module)
    assert type(clone) is type(module)
    assert clone.route is clone[1].route
    assert clone.route is not module.route
    x, layout = pack(clips_of([4, 3]))
    torch.testing.assert_close(
        run_packed(clone, x, layout), run_packed(module, x, layout)
    )


@pytest.mark.parametrize(
    'module,why',
    [
        (nn.Conv3d(4, 4, 3, padding=1, padding_mode='circular'), 'circular'),
        (nn.Conv3d(4, 4, 2, padding='same'), 'not symmetric'),
        (nn.ConvTranspose3d(4, 4, 3), 'ConvTranspose3d'),
        (nn.GroupNorm(2, 4), 'GroupNorm'),
        (nn.InstanceNorm3d(4), 'InstanceNorm3d'),
        (nn.Dropout3d(), 'Dropout3d'),
        (nn.AdaptiveAvgPool3d(2), 'more than one frame'),
        (nn.MaxPool3d(2, return_indices=True), 'return_indices'),
        (nn.LPPool3d(2, 2), 'LPPool3d'),
        (Shuffle(), 'Shuffle'),
    ],
)
def test_what_has_no_ragged_form_is_refused_by_name(module, why):
    stage = nn.Sequential(nn.ReLU(), nn.Sequential(module))
    before = type(module)
    with pytest.raises(ValueError) as error:
        convert(stage)
    for words in ('`layer3.1.0`', why, "execution='sequential'"):
        assert words in str(error.value)
    assert type(module) is before


def test_user_module_with_a_form_of_its_own():

    class Flip(nn.Module):
        def forward(self, x):
            return x.flip(dims=(2,))

    assert find_refusals(Flip(), 'flip')

    @register_ragged_form(Flip)
    class RaggedFlip(Ragged):
        def forward_ragged(self, x, layout):
            return torch.cat(
                [clip.flip(dims=(2,)) for clip in layout.split(x)], dim=2
            )

    assert not find_refusals(Flip(), 'flip')
    assert_equals_alone(Flip(), [3, 1, 4])


def test_clip_too_short_for_a_window_says_so():
    conv = convert(nn.Conv3d(CHANNELS, 2, 3))
    x, layout = pack(clips_of([4, 2], torch.float32))
    with pytest.raises(ValueError, match='2 frames is too short.*3 frames'):
        run_packed(conv, x, layout)


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
