import copy

import pytest
import torch
from mmaction.models.backbones.resnet3d import ResNet3d
from mmaction.models.backbones.x3d import X3D
from mmaction.registry import MODELS
from mmengine.runner.checkpoint import load_state_dict

from mmatfr.models import ATFRX3D, ATFRResNet3d

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
BASES = dict(x3d=X3D_TINY, r18=R18, r50_strided=R50_STRIDED)
SGS_CHOICES = dict(
    default=dict(),
    stem=dict(stage=0, similarity='l2'),
    stage2=dict(stage=2),
    last=dict(stage=4),
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
    cfg = dict(BASES[base])
    if options:
        cfg['type'] = 'ATFR' + cfg['type']
    module = MODELS.build({**cfg, **options})
    randomize(module)
    return module


def randomize(module):
    """Gives normalisation layers something to do, of zero-init too."""
    generator = torch.manual_seed(1)
    for m in module.modules():
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
            m.weight.data.uniform_(0.5, 1.5, generator=generator)
            m.bias.data.uniform_(-0.2, 0.2, generator=generator)
            m.running_mean.uniform_(-0.1, 0.1, generator=generator)
            m.running_var.uniform_(0.5, 1.5, generator=generator)


def clips(num_clips=8, num_frames=12, size=40):
    """Clips of unequal activity: the later ones are still for longer."""
    generator = torch.manual_seed(2)
    x = torch.randn(num_clips, 3, num_frames, size, size, generator=generator)
    x *= 1 + torch.arange(num_frames).view(1, 1, -1, 1, 1)
    for i in range(num_clips):
        still = i * num_frames // num_clips
        x[i, :, :still] = x[i, :, :1]
    return x


@pytest.mark.parametrize('choice', SGS_CHOICES)
@pytest.mark.parametrize('base', BASES)
def test_batch_invariance_in_both_executions(base, choice):
    backbone = build(base, sgs=SGS_CHOICES[choice], execution='packed').eval()
    x = clips()
    with torch.no_grad():
        packed = backbone(x)
        lengths = backbone.lengths
        assert lengths.shape == (8,) and len(set(lengths.tolist())) > 1
        backbone.execution = 'sequential'
        sequential = backbone(x)
        alone = torch.cat([backbone(clip[None]) for clip in x])
    assert packed.shape[2] == 1
    # A weight of the linear kernel is a difference of positions in [0, 2 B]:
    # it multiplies the rounding of a magnitude by up to 2 B.
    linear = SGS_CHOICES[choice].get('kernel') == 'linear'
    tolerance = alone.abs().max() * (2 * 12 * 1e-6 if linear else 1e-5)
    torch.testing.assert_close(packed, alone, rtol=0, atol=tolerance)
    torch.testing.assert_close(sequential, alone, rtol=0, atol=tolerance)


@pytest.mark.parametrize('base', BASES)
def test_without_sgs_it_is_the_base_bit_for_bit(base):
    plain, ours = build(base), build(base, sgs=None)
    assert list(plain.state_dict()) == list(ours.state_dict())
    x = clips(2)
    for mode in (True, False):
        plain.train(mode)
        assert plain(x).equal(ours.train(mode)(x))
    for key, value in plain.state_dict().items():
        assert ours.state_dict()[key].equal(value), key
    assert ours.lengths is None


@pytest.mark.parametrize('base', BASES)
def test_state_dict_adds_sgs_keys_only(base):
    plain, ours = build(base), build(base, sgs=dict())
    added = [key for key in ours.state_dict() if key.startswith('sgs.')]
    assert [key for key in ours.state_dict() if key not in added] == list(
        plain.state_dict()
    )
    missing = ours.load_state_dict(plain.state_dict(), strict=False)
    assert missing.unexpected_keys == []
    # torch fills in a missing `num_batches_tracked` without a word.
    assert set(missing.missing_keys) == set(added) - {
        'sgs.bn.num_batches_tracked'
    }
    load_state_dict(ours, ours.state_dict(), strict=True)


@pytest.mark.parametrize('base', BASES)
def test_full_resolution_gives_the_base(base):
    """T groups of one frame in time order: sampling changes nothing."""
    plain, ours = (
        build(base),
        build(base, sgs=dict(num_bins=1000, order='time', contiguous=True)),
    )
    ours.load_state_dict(plain.state_dict(), strict=False)
    x = clips(2)[:, :, ::4] * torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 3, 1, 1)
    x[0] = torch.randn_like(x[0])
    plain.eval(), ours.eval()
    with torch.no_grad():
        expected, actual = plain(x), ours(x)
    full = ours.lengths == 3
    assert full.any()
    torch.testing.assert_close(
        actual[full],
        expected[full].mean(dim=2, keepdim=True),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize('base', BASES)
def test_readout_frames_has_the_shape_of_the_base(base, execution):
    plain = build(base)
    plain.eval()  # mmaction2's returns None
    ours = build(
        base, sgs=dict(), readout='frames', execution=execution
    ).eval()
    ours.load_state_dict(plain.state_dict(), strict=False)
    x = clips(6, num_frames=13)
    with torch.no_grad():
        expected, actual = plain(x), ours(x)
        alone = torch.cat([ours(clip[None]) for clip in x])
        assert actual.shape == expected.shape
        torch.testing.assert_close(actual, alone, rtol=1e-5, atol=1e-4)
        # Frames of one group are given one map.
        ours(x)
        if base != 'r50_strided':
            index = ours.sgs.groups.index
            for i, clip in enumerate(actual):
                for t in range(13):
                    twin = int((index[i] == index[i, t]).nonzero()[0])
                    assert clip[:, t].equal(clip[:, twin])


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
    torch.testing.assert_close(outputs[0], expected[0])
    assert [out.shape[2] for out in outputs] == [12, 1, 1]
    backbone.readout = 'frames'
    with torch.no_grad():
        assert [out.shape for out in backbone(x)] == [
            out.shape for out in expected
        ]


@pytest.mark.parametrize('execution', ['auto', 'packed', 'sequential'])
@pytest.mark.parametrize('base', BASES)
def test_training_normalises_over_real_frames_only(base, execution):
    """Running statistics equal those of the frames without padding."""
    backbone = build(base, sgs=dict(), execution=execution).train()
    # The reference: the same stages on the groups, laid out without ragged
    # execution, each convolution on each clip alone.
    reference = copy.deepcopy(backbone)
    reference.execution = 'sequential'
    statistics = {}
    for name, module in reference.named_modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.register_forward_hook(
                lambda m, args, out, name=name: statistics.setdefault(
                    name, []
                ).append(args[0].transpose(0, 1).flatten(1))
            )
    x = clips(4)
    before = copy.deepcopy(backbone.state_dict())
    backbone(x)
    reference(x)
    for name, seen in statistics.items():
        values = torch.cat(seen, dim=1)
        mean = before[f'{name}.running_mean'].lerp(values.mean(dim=1), 0.1)
        var = before[f'{name}.running_var'].lerp(values.var(dim=1), 0.1)
        state = backbone.state_dict()
        torch.testing.assert_close(state[f'{name}.running_mean'], mean)
        torch.testing.assert_close(state[f'{name}.running_var'], var)
    assert len(statistics) == sum(
        isinstance(m, torch.nn.BatchNorm3d) for m in backbone.modules()
    )


@pytest.mark.parametrize('with_cp', [False, True])
@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('base', BASES)
def test_every_parameter_gets_a_finite_gradient(base, autocast, with_cp):
    backbone = build(base, sgs=dict(), with_cp=with_cp).train()
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        out = backbone(clips(4).requires_grad_())
    out.float().square().mean().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_activation_checkpointing_changes_nothing():
    gradients = []
    for with_cp in (False, True):
        backbone = build('x3d', sgs=dict(), with_cp=with_cp).train()
        backbone(clips(4)).square().mean().backward()
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


def test_copy_is_independent():
    backbone = build('x3d', sgs=dict()).eval()
    clone = copy.deepcopy(backbone)
    x = clips(4)
    with torch.no_grad():
        assert clone(x).equal(backbone(x))
        clone(x[:1])
    assert backbone.lengths.shape == (4,)
    assert clone.layer2.layouts is clone.layouts
    assert clone.layouts is not backbone.layouts


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
        (dict(execution='foo'), r"execution='foo'.*'auto', 'packed'"),
    ],
)
@pytest.mark.parametrize('base', ['x3d', 'r18'])
def test_bad_options_are_named(base, options, match):
    with pytest.raises(ValueError, match=match):
        build(base, **options)


def test_module_without_ragged_form_is_refused_with_its_path():
    cfg = dict(
        R18, sgs=dict(stage=2), non_local=((0, 0), (0, 0), (0, 1), (0, 0))
    )
    with pytest.raises(ValueError) as error:
        ATFRResNet3d(**{k: v for k, v in cfg.items() if k != 'type'})
    assert 'layer3.1.non_local_block' in str(error.value)
    assert "execution='sequential'" in str(error.value)
    backbone = build(
        'r18',
        **{k: v for k, v in cfg.items() if k not in R18},
        execution='sequential',
    ).eval()
    x = clips(3)
    with torch.no_grad():
        torch.testing.assert_close(
            backbone(x),
            torch.cat([backbone(c[None]) for c in x]),
            rtol=1e-5,
            atol=1e-4,
        )
    with pytest.raises(RuntimeError, match='norm_eval=True'):
        backbone.train()(x)


def test_classes_are_thin():
    assert issubclass(ATFRX3D, X3D) and issubclass(ATFRResNet3d, ResNet3d)


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
