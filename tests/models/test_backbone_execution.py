"""How backbones run: threads, copies, execution and memory format."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny_backbones import (
    BASES,
    assert_all_close,
    build,
    clips,
    results_of,
    run,
    slowfast,
)


@pytest.mark.parametrize('base', ['r18', 'tsm', 'slowfast'])
def test_other_input_than_rgb(base):
    options = dict(in_channels=2)
    if base == 'slowfast':
        options = slowfast()
        options['slow_pathway']['in_channels'] = 2
        options['fast_pathway']['in_channels'] = 2
        del options['type']
    backbone = build(base, sgs=dict(), **options).eval()
    assert all(out.isfinite().all() for out in run(backbone, clips(2)[:, :2]))


def test_copy_is_independent():
    backbone = build('x3d', sgs=dict()).eval()
    clone = copy.deepcopy(backbone)
    x = clips(4)
    with torch.no_grad():
        assert clone(x).equal(backbone(x))
        clone(x[:1])
    assert backbone.lengths.shape == (4,)
    (ours,), (theirs,) = backbone.pathways.values(), clone.pathways.values()
    assert clone.layer2[0].conv2.conv.route is theirs.route
    assert theirs.route is not ours.route
    assert theirs.layer is clone.sgs is not backbone.sgs


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize('base', ['r18', 'slowfast', 'tsm'])
def test_two_threads_give_what_one_gives(base, execution):
    backbone = build(
        base,
        sgs=dict(
            stage=1,
            similarity='path',
            embedding='identity',
            magnitude_grad=False,
        ),
        execution=execution,
        readout='frames',
    ).eval()
    batches = [clips(n, size=24) for n in (2, 3)]
    inside = threading.Barrier(2)

    def work(x):
        inside.wait(timeout=60)
        seen = []
        with torch.no_grad():
            for _ in range(5):
                seen.append([*run(backbone, x), *results_of(backbone)])
        return seen

    with torch.no_grad():
        expected = []
        for x in batches:
            outputs = run(backbone, x)
            expected.append([*outputs, *results_of(backbone)])
    attributes = {m: dict(vars(m)) for m in backbone.modules()}
    with ThreadPoolExecutor(2) as threads:
        for seen, outputs in zip(
            threads.map(work, batches), expected, strict=True
        ):
            for again in seen:
                assert_all_close(again, outputs, 1e-6)
    # This thread has its own results, and no module has changed.
    assert len(results_of(backbone)[0]) == 3
    for module, before in attributes.items():
        assert vars(module) == before


def test_auto_runs_clips_alone_in_evaluation_unless_they_are_small():
    backbone = build('x3d', sgs=dict()).eval()
    batches = []
    backbone.sgs.register_forward_hook(
        lambda layer, args, out: batches.append(len(args[0]))
    )
    with torch.no_grad():
        backbone(clips(2))
        backbone(torch.rand(2, 3, 16, 224, 224))
        assert batches == [2, 1, 1]
        # The layer knows the whole batch all the same.
        assert backbone.sgs.groups.lengths.equal(backbone.lengths)
        assert backbone.sgs.groups.index.shape == (2, 16)
        assert backbone.sgs.magnitude.shape == (2, 16)
    backbone.train()(torch.rand(2, 3, 16, 112, 112))
    assert batches[3:] == [2]


def test_auto_counts_all_images_of_a_clip_in_2d_networks():
    backbone = build('mobilenet_tsm', sgs=dict()).eval()
    batches = []
    backbone.sgs.register_forward_hook(
        lambda layer, args, out: batches.append(len(args[0]))
    )
    with torch.no_grad():
        backbone(torch.rand(2 * 12, 3, 64, 64))
        backbone(torch.rand(2 * 12, 3, 256, 256))
    assert batches == [2, 1, 1]


@pytest.mark.parametrize('base', BASES)
def test_channels_last_changes_rounding_only(base):
    plain = build(base)
    plain.eval()
    fast = build(base, channels_last=True).eval()
    fast.load_state_dict(plain.state_dict())
    x = clips(2)
    with torch.no_grad():
        assert_all_close(run(fast, x), run(plain, x))


def test_stage_called_by_itself_does_not_sample():
    backbone = build('x3d', sgs=dict()).eval()
    x = torch.rand(2, 8, 6, 10, 10)
    assert backbone.layer1(x).shape[0] == 2
