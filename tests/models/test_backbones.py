"""Every backbone with adaptive resolution, compared with its base."""

import copy
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from mmatfr.models import ATFR, atfr
from mmatfr.ragged import Clips, Layout, frame_axis, start_run, take_clips
from mmatfr.sgs import equal_groups

X3D_TINY = dict(type='X3D', gamma_w=0.34, gamma_b=2.25, gamma_d=0.6)
R18 = dict(
    type='ResNet3d',
    depth=18,
    pretrained=None,
    base_channels=8,
    conv1_kernel=(3, 5, 5),
    with_pool2=False,
)
R50_STRIDED = dict(
    type='ResNet3d',
    depth=50,
    pretrained=None,
    base_channels=8,
    stage_blocks=(1, 2, 2, 1),
    conv1_kernel=(5, 7, 7),
    temporal_strides=(1, 1, 2, 1),
    inflate=(1, (1, 0), (0, 1), 1),
)
NON_LOCAL = dict(
    sub_sample=True,
    use_scale=True,
    norm_cfg=dict(type='BN3d', requires_grad=True),
    mode='embedded_gaussian',
)
PATHWAY = dict(
    type='resnet3d',
    depth=18,
    pretrained=None,
    stage_blocks=(1, 1, 1, 1),
)


def slowfast(speed_ratio=4):
    """mmaction2 writes into the dicts of the pathways."""
    return dict(
        type='ResNet3dSlowFast',
        resample_rate=speed_ratio,
        speed_ratio=speed_ratio,
        channel_ratio=4,
        slow_pathway=dict(
            **PATHWAY,
            base_channels=16,
            lateral=True,
            conv1_kernel=(1, 5, 5),
            inflate=(0, 0, 1, 1),
        ),
        fast_pathway=dict(
            **PATHWAY,
            base_channels=4,
            lateral=False,
            conv1_kernel=(5, 5, 5),
        ),
    )


BASES = dict(
    x3d=X3D_TINY,
    r18=R18,
    r50_strided=R50_STRIDED,
    non_local=dict(
        R18,
        non_local=((0, 1), (1, 0), (0, 1), (0, 0)),
        non_local_cfg=NON_LOCAL,
    ),
    slowonly=dict(
        type='ResNet3dSlowOnly',
        depth=50,
        pretrained=None,
        base_channels=8,
        stage_blocks=(1, 1, 2, 1),
    ),
    r2plus1d=dict(
        type='ResNet2Plus1d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        base_channels=8,
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        conv_cfg=dict(type='Conv2plus1d'),
        norm_cfg=dict(type='BN3d', requires_grad=True, eps=1e-3),
        temporal_strides=(1, 2, 1, 1),
    ),
    csn=dict(
        type='ResNet3dCSN',
        depth=50,
        pretrained=None,
        pretrained2d=False,
        base_channels=8,
        stage_blocks=(1, 1, 1, 1),
        with_pool2=False,
        bottleneck_mode='ip',
    ),
    slowfast=slowfast(),
    tsm=dict(
        type='ResNetTSM',
        depth=18,
        num_segments=12,
        pretrained=None,
        pretrained2d=False,
        num_stages=4,
    ),
    tsm_block=dict(
        type='ResNetTSM',
        depth=50,
        num_segments=12,
        pretrained=None,
        pretrained2d=False,
        shift_place='block',
    ),
    tsm_non_local=dict(
        type='ResNetTSM',
        depth=50,
        num_segments=12,
        pretrained=None,
        pretrained2d=False,
        is_shift=False,
        non_local=((0, 0, 1), (0, 1, 0, 0), (0,) * 6, (0, 0, 0)),
        non_local_cfg=NON_LOCAL,
    ),
    mobilenet_tsm=dict(
        type='MobileNetV2TSM',
        num_segments=12,
        widen_factor=0.25,
        pretrained2d=False,
    ),
)
# Backbones with different parts; slow ones are left out where they add
# nothing.
KINDS = [name for name in BASES if name not in ('tsm_block', 'slowonly')]
SGS_CHOICES = dict(
    default=dict(),
    stem=dict(stage=0, similarity='l2'),
    stage2=dict(stage=2),
    stage3=dict(stage=3),
    pre_activation=dict(stage=1, pre_activation=True),
    authors=dict(pre_activation=True, similarity='l2', kernel='linear'),
    time=dict(order='time', num_bins=6),
    path=dict(
        stage=0,
        similarity='path_squared',
        embedding='identity',
        grid=4,
        magnitude_grad=False,
    ),
)


def build(base, **options):
    torch.manual_seed(0)
    cfg = copy.deepcopy(BASES[base])
    if options:
        cfg['type'] = 'ATFR' + cfg['type']
    module = MODELS.build({**cfg, **options})
    randomize(module)
    return module


def randomize(module):
    """Randomizes normalisation layers, including zero-initialized ones."""
    generator = torch.manual_seed(1)
    for m in module.modules():
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
            m.weight.data.uniform_(0.5, 1.5, generator=generator)
            m.bias.data.uniform_(-0.2, 0.2, generator=generator)
            m.running_mean.uniform_(-0.1, 0.1, generator=generator)
            m.running_var.uniform_(0.5, 1.5, generator=generator)


def clips(num_clips=8, num_frames=12, size=40):
    """Clips of unequal activity; later ones are still for longer."""
    generator = torch.manual_seed(2)
    x = torch.randn(num_clips, 3, num_frames, size, size, generator=generator)
    x *= 1 + torch.arange(num_frames).view(1, 1, -1, 1, 1)
    for i in range(num_clips):
        still = i * num_frames // num_clips
        x[i, :, :still] = x[i, :, :1]
    return x


def run(backbone, x):
    """Outputs for (N, C, T, H, W), the frames of 2D backbones as (N, T, ...).

    Returns a list in any case.
    """
    flat = hasattr(backbone, 'num_segments')
    outputs = backbone_outputs(backbone, x)
    return [
        out.unflatten(0, (len(x), -1)).transpose(1, 2) if flat else out
        for out in outputs
    ]


def backbone_outputs(backbone, x):
    """Outputs as the backbone returns them."""
    flat = hasattr(backbone, 'num_segments')
    outputs = backbone(x.transpose(1, 2).flatten(0, 1) if flat else x)
    return outputs if isinstance(outputs, tuple) else [outputs]


def lengths_of(backbone):
    lengths = backbone.lengths
    return lengths if isinstance(lengths, dict) else {'': lengths}


def sgs_of(backbone):
    return [m.layer for m in backbone.pathways.values()]


def results_of(backbone):
    return [
        result
        for layer in sgs_of(backbone)
        for result in (layer.magnitude, layer.groups.lengths.float())
    ]


def normalise_similarity(backbone, x):
    """Sets the statistics of the layer's BN, so that magnitudes differ."""
    for layer in sgs_of(backbone):
        if layer.embedding == 'mlp_bn':
            layer.bn.train()
            layer.bn.momentum = 1.0
    with torch.no_grad():
        run(backbone, x)
    backbone.eval()


def assert_all_close(actual, expected, tolerance=1e-5):
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=theirs.abs().max().item() * tolerance
        )


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


@pytest.mark.parametrize('execution', ['auto', 'packed', 'sequential'])
@pytest.mark.parametrize('base', ['x3d', 'r18', 'r50_strided'])
def test_training_normalises_over_real_frames_only(base, execution):
    """Expects the statistics of real frames, convolved clip by clip."""
    backbone = build(base, sgs=dict(), execution=execution).train().double()
    statistics, convolved = {}, []

    def see_normalised(name, x):
        statistics[name] = x.transpose(0, 1).flatten(1)

    def see_convolved(conv, x, out):
        groups = backbone.sgs.groups
        if len(x) > 1:  # before the layer
            return
        lengths = groups.lengths.tolist()
        if x.shape[2] != sum(lengths):  # behind the pool
            lengths = [max(1, length // 2) for length in lengths]
        if x.shape[2] != sum(lengths):  # and the stride
            lengths = [-(-length // 2) for length in lengths]
        alone = [
            nn.functional.conv3d(
                clip,
                conv.weight,
                conv.bias,
                conv.stride,
                conv.padding,
                conv.dilation,
                conv.groups,
            )
            for clip in x.split(lengths, dim=2)
        ]
        torch.testing.assert_close(out, torch.cat(alone, dim=2))
        convolved.append(conv)

    for name, module in backbone.named_modules():
        if isinstance(module, nn.BatchNorm3d):
            module.register_forward_pre_hook(
                lambda module, args, name=name: see_normalised(name, *args)
            )
        elif isinstance(module, nn.Conv3d):
            module.register_forward_hook(
                lambda module, args, out: see_convolved(module, *args, out)
            )
    before = copy.deepcopy(backbone.state_dict())
    backbone(clips(4).double())
    state = backbone.state_dict()
    for name, values in statistics.items():
        mean = before[f'{name}.running_mean'].lerp(values.mean(dim=1), 0.1)
        var = before[f'{name}.running_var'].lerp(values.var(dim=1), 0.1)
        torch.testing.assert_close(state[f'{name}.running_mean'], mean)
        torch.testing.assert_close(state[f'{name}.running_var'], var)
    assert len(statistics) == sum(
        isinstance(m, nn.BatchNorm3d) for m in backbone.modules()
    )
    assert any(conv.kernel_size[0] > 1 for conv in convolved)


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize(
    'base,with_cp',
    [
        (base, with_cp)
        for base in BASES
        for with_cp in (False, True)
        # Basic blocks of 2D ResNets have no activation checkpointing.
        if not (with_cp and base == 'tsm')
    ],
)
def test_every_parameter_gets_a_finite_gradient(base, with_cp, autocast):
    options = dict(with_cp=with_cp)
    if base == 'slowfast':
        options = slowfast()
        for pathway in ('slow_pathway', 'fast_pathway'):
            options[pathway]['with_cp'] = with_cp
        del options['type']
    backbone = build(base, sgs=dict(), **options).train()
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        outputs = run(backbone, clips(4).requires_grad_())
    sum(out.float().square().mean() for out in outputs).backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize('base', ['x3d', 'non_local', 'tsm_block'])
def test_activation_checkpointing_changes_nothing(base):
    gradients = []
    for with_cp in (False, True):
        backbone = build(base, sgs=dict(), with_cp=with_cp).train()
        run(backbone, clips(3))[0].square().mean().backward()
        gradients.append([p.grad for p in backbone.parameters()])
    torch.testing.assert_close(*gradients)


def test_frozen_stages_and_norm_eval():
    backbone = build('r18', sgs=dict(), frozen_stages=2, norm_eval=True)
    assert backbone.train() is backbone
    backbone(clips(2)).sum().backward()
    assert backbone.layer2[0].conv1.conv.weight.grad is None
    assert backbone.layer3[0].conv1.conv.weight.grad is not None
    assert not any(
        m.training
        for m in backbone.modules()
        if isinstance(m, torch.nn.BatchNorm3d)
    )


@pytest.mark.parametrize(
    'base,options',
    [
        ('r18', dict(norm_eval=True)),
        ('csn', dict(norm_eval=True, bn_frozen=True)),
        ('tsm', dict(partial_bn=True)),
    ],
)
def test_frozen_normalisation_of_the_base_is_not_that_of_the_layer(
    base, options
):
    backbone = build(base, sgs=dict(), **options).train()
    bn = backbone.sgs.bn
    assert bn.training and not all(m.training for m in backbone.modules())
    run(backbone, clips(2))[0].sum().backward()
    assert bn.num_batches_tracked == 1 and bn.weight.grad.abs().sum() > 0
    assert not backbone.eval().sgs.bn.training
    bn.requires_grad_(False)
    assert not any(
        p.requires_grad for p in backbone.train().sgs.bn.parameters()
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


def test_sequential_training_with_normalisation_says_that_it_is_packed():
    backbone = build('r18', sgs=dict(), execution='sequential').train()
    x = clips(2, num_frames=4)
    with pytest.warns(UserWarning, match='runs clips packed in training'):
        backbone(x)
    frozen = build(
        'r18',
        sgs=dict(embedding='identity'),
        execution='sequential',
        norm_eval=True,
    ).train()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        frozen(x)
        backbone.eval()(x)


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


@pytest.mark.parametrize(
    'options,match',
    [
        (dict(sgs=dict(stage=9)), r'sgs.stage=9.*0 \(stem\) to 4'),
        (
            dict(sgs=dict(stage='layer1')),
            r"sgs.stage='layer1'.*0 \(stem\) to 4",
        ),
        (dict(sgs=dict(kernel='foo')), r"kernel='foo'.*\['delta', 'linear'\]"),
        (dict(sgs=dict(stage=0, pre_activation=True)), 'pre_activation=True'),
        (dict(readout='foo'), r"readout='foo'.*\['mean', 'frames'\]"),
        (dict(sgs=True), 'sgs=True must be a dict'),
        (dict(sgs=dict(stage=True)), 'sgs.stage=True'),
        (dict(sgs=dict(stages=2)), r'sgs.stages=2 .*is it sgs.stage\?'),
        (
            dict(sgs=dict(pre_activation='yes')),
            "sgs.pre_activation='yes' must be True or False",
        ),
        (
            dict(sgs=dict(), channels_last='yes'),
            "channels_last='yes' must be True or False",
        ),
    ],
)
@pytest.mark.parametrize('base', ['x3d', 'r18'])
def test_bad_options_are_named(base, options, match):
    with pytest.raises(ValueError, match=match):
        build(base, **options)


@pytest.mark.parametrize(
    'base,options,option',
    [
        ('r18', dict(sgs=dict(stage=4)), 'sgs.stage=4'),
        ('tsm', dict(sgs=dict(stage=4), readout='frames'), 'sgs.stage=4'),
        (
            'slowfast',
            dict(sgs=dict(slow_path=dict(stage=1), fast_path=dict(stage=4))),
            'sgs.fast_path.stage=4',
        ),
        ('r18', dict(sgs=dict(stage=2), out_indices=(0,)), 'sgs.stage=2'),
        ('r18', dict(sgs=dict(stage=1), out_indices=(0,)), 'sgs.stage=1'),
    ],
)
def test_sampling_that_saves_nothing_is_refused(base, options, option):
    match = f'{option} samples after the last .*SGSNeck'
    with pytest.raises(ValueError, match=match):
        build(base, **options)


def test_the_last_stage_can_be_followed_by_a_module():
    backbone = build('x3d', sgs=dict(stage=4), execution='packed').eval()
    x = clips(3)
    with torch.no_grad():
        alone = [torch.cat([backbone(clip[None]) for clip in x])]
        assert_all_close([backbone(x)], alone)


class FrameDifference(nn.Module):
    """Mixes frames and has no ragged form."""

    def forward(self, x):
        return x - x.roll(1, dims=2)


class OwnBackbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 3, padding=1)
        self.stage1 = nn.Sequential(nn.Conv3d(4, 8, 3, padding=1), nn.ReLU())
        self.stage2 = nn.Sequential(
            nn.BatchNorm3d(8), FrameDifference(), nn.Conv3d(8, 8, 1)
        )

    def forward(self, x):
        return self.stage2(self.stage1(self.stem(x))).relu()


OwnATFR = atfr(OwnBackbone, stages=['stem', 'stage1', 'stage2'])


def test_own_backbone_refuses_by_path_what_has_no_ragged_form():
    assert OwnATFR.__name__ == 'ATFROwnBackbone'
    assert issubclass(OwnATFR, (ATFR, OwnBackbone))
    with pytest.raises(ValueError) as error:
        OwnATFR(sgs=dict(stage=1))
    assert '`stage2.1` (FrameDifference)' in str(error.value)
    assert "execution='sequential'" in str(error.value)
    torch.manual_seed(0)
    backbone = OwnATFR(sgs=dict(stage=1), execution='sequential').eval()
    x = clips(3)
    with torch.no_grad():
        assert_all_close(
            [backbone(x)], [torch.cat([backbone(c[None]) for c in x])]
        )
    assert backbone(x).shape == (3, 8, 1, 40, 40)
    with pytest.raises(RuntimeError, match='norm_eval=True'):
        backbone.train()(x)
    with pytest.raises(
        ValueError, match='stage=2 samples after the last stage'
    ):
        OwnATFR(sgs=dict(stage=2))  # a function alone follows


class OwnFrames(nn.Module):
    """A backbone of 2D modules, which cannot know the length of a clip."""

    num_segments = 4

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.stage1 = FrameDifference()

    def forward(self, x):
        return self.stage1(self.stem(x))


def test_backbone_of_2d_modules_needs_ragged_forms_in_any_execution():
    for execution in ('packed', 'sequential'):
        with pytest.raises(ValueError) as error:
            atfr(OwnFrames, ['stem', 'stage1'])(
                sgs=dict(stage=0), execution=execution
            )
        assert '`stage1` (FrameDifference)' in str(error.value)
        assert "execution='sequential'" not in str(error.value)


@pytest.mark.parametrize('mode', ['gaussian', 'dot_product', 'concatenation'])
@pytest.mark.parametrize('sub_sample', [False, True])
def test_non_local_blocks_in_all_modes(mode, sub_sample):
    cfg = dict(NON_LOCAL, mode=mode, sub_sample=sub_sample)
    if mode == 'gaussian':
        cfg['reduction'] = 1  # as mmcv's own code needs it
    backbone = build('non_local', sgs=dict(), non_local_cfg=cfg).eval()
    x = clips(3)
    with torch.no_grad():
        backbone.execution = 'packed'
        packed = run(backbone, x)
        backbone.execution = 'sequential'
        assert_all_close(packed, run(backbone, x))


def test_sync_bn():
    """Converted in place; in a single process it equals BN."""
    backbone = build('x3d', sgs=dict()).eval()
    expected = backbone(clips(3))
    backbone = nn.SyncBatchNorm.convert_sync_batchnorm(backbone)
    assert isinstance(backbone.sgs.bn, nn.SyncBatchNorm)
    assert_all_close([backbone(clips(3))], [expected])


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


class TestTSM:
    def test_temporal_pool_is_refused_by_name(self):
        with pytest.raises(ValueError, match='temporal_pool=True'):
            build('tsm', sgs=dict(), temporal_pool=True)
        build('tsm', sgs=None, temporal_pool=True)

    def test_number_of_frames_has_to_fit(self):
        with pytest.raises(ValueError, match='num_segments=12.*13 frames'):
            build('tsm', sgs=dict())(torch.rand(13, 3, 32, 32))

    def test_shift_stays_within_the_groups_of_a_clip(self):
        """Compared with mmaction2's shift on whole clips."""
        backbone = build('tsm', sgs=dict(stage=1)).eval()
        shift = backbone.layer2[0].conv1.conv
        shift.net = nn.Identity()
        route = backbone.pathways[''].route
        x = torch.rand(3 + 5, 64, 4, 4)
        with start_run(route):
            route.begin(Clips(Layout([3, 5]), route.start))
            out = shift(x)
        expected = [
            shift.shift(clip, len(clip), shift.shift_div)
            for clip in x.split([3, 5])
        ]
        assert out.equal(torch.cat(expected))


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize(
    'base,head,in_channels', [('x3d', 'X3DHead', 144), ('r18', 'I3DHead', 64)]
)
def test_logits_of_a_clip_in_a_batch_of_eight(
    base, head, in_channels, execution
):
    torch.manual_seed(0)
    backbone = {**BASES[base], 'type': 'ATFR' + BASES[base]['type']}
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(**backbone, sgs=dict(stage=1), execution=execution),
            cls_head=dict(type=head, in_channels=in_channels, num_classes=12),
        )
    )
    randomize(model)
    model.eval()
    views = clips()[:, None]
    with torch.no_grad():
        together = model(views, mode='tensor', stage='head')
        assert len(set(model.backbone.lengths.tolist())) > 1
        alone = torch.cat(
            [model(view[None], mode='tensor', stage='head') for view in views]
        )
    assert (together - alone).norm() < 1e-5 * alone.norm()
