"""Networks of ragged modules: checkpointing, gradients, conversion."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged_runs import (
    CHANNELS,
    LENGTHS,
    assert_equals_alone,
    clips_of,
    convert,
    network,
    run_packed,
)
from torch import nn

from mmatfr.benchmark.timing import peak_memory
from mmatfr.ragged import (
    Ragged,
    Route,
    convert_ragged,
    find_refusals,
    pack,
    register_ragged_form,
)


class Shuffle(nn.Module):
    def forward(self, x):
        return x.flip(dims=(2,))


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
