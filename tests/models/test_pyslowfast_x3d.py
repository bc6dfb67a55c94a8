"""X3D of PySlowFast, and weights converted back."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from authors_networks import build, reference, slowfast_weights
from mmengine.runner.checkpoint import load_state_dict

from mmatfr.models.pyslowfast import convert_pyslowfast, to_pyslowfast

X3D_XL = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ATFRX3D',
        gamma_w=1.45,
        gamma_b=2.25,
        gamma_d=5,
        width_rounding='stage',
    ),
    cls_head=dict(type='X3DHead', num_classes=5, in_channels=630),
)


class PySlowFastX3D:
    """X3D-XL with random weights, in the layout of PySlowFast."""

    widths = (32, 72, 136, 280)
    inner = (72, 162, 306, 630)
    squeezed = (8, 16, 24, 40)
    depths = (5, 10, 25, 15)

    def __init__(self):
        self.weights = {}
        self.generator = torch.manual_seed(0)
        self.add('s1.pathway0_stem.conv_xy', 32, 3, 1, 3, 3)
        self.add('s1.pathway0_stem.conv', 32, 1, 5, 1, 1)
        self.add_norm('s1.pathway0_stem.bn', 32)
        before = 32
        for stage, width, inner, squeezed, depth in zip(
            range(2, 6),
            self.widths,
            self.inner,
            self.squeezed,
            self.depths,
            strict=True,
        ):
            for block in range(depth):
                name = f's{stage}.pathway0_res{block}'
                if block == 0:
                    self.add(f'{name}.branch1', width, before, 1, 1, 1)
                    self.add_norm(f'{name}.branch1_bn', width)
                self.add(f'{name}.branch2.a', inner, before, 1, 1, 1)
                self.add(f'{name}.branch2.b', inner, 1, 3, 3, 3)
                self.add(f'{name}.branch2.c', width, inner, 1, 1, 1)
                self.add_norm(f'{name}.branch2.a_bn', inner)
                self.add_norm(f'{name}.branch2.b_bn', inner)
                self.add_norm(f'{name}.branch2.c_bn', width, scale=0.2)
                if block % 2 == 0:
                    self.add(
                        f'{name}.branch2.se.fc1',
                        squeezed,
                        inner,
                        1,
                        1,
                        1,
                        bias=True,
                    )
                    self.add(
                        f'{name}.branch2.se.fc2',
                        inner,
                        squeezed,
                        1,
                        1,
                        1,
                        bias=True,
                    )
                before = width
        self.add('head.conv_5', 630, 280, 1, 1, 1)
        self.add_norm('head.conv_5_bn', 630)
        self.add('head.lin_5', 2048, 630, 1, 1, 1)
        self.add('head.projection', 5, 2048, bias=True)

    def add(self, name, *shape, bias=False):
        fan_in = np.prod(shape[1:])
        weight = torch.randn(shape, generator=self.generator)
        self.weights[f'{name}.weight'] = weight * fan_in**-0.5
        if bias:
            self.weights[f'{name}.bias'] = torch.randn(
                shape[0], generator=self.generator
            )

    def add_norm(self, name, width, scale=1.0):
        def rand():
            return torch.rand(width, generator=self.generator)

        self.weights.update(
            {
                f'{name}.weight': scale * (0.5 + rand()),
                f'{name}.bias': rand() - 0.5,
                f'{name}.running_mean': rand() - 0.5,
                f'{name}.running_var': 0.5 + rand(),
                f'{name}.num_batches_tracked': torch.tensor(1),
            }
        )

    def conv(self, x, name, stride=1):
        weight = self.weights[f'{name}.weight']
        return F.conv3d(
            x,
            weight,
            self.weights.get(f'{name}.bias'),
            stride=(1, stride, stride),
            padding=[size // 2 for size in weight.shape[2:]],
            groups=x.shape[1] // weight.shape[1],
        )

    def norm(self, x, name):
        return F.batch_norm(
            x,
            *(
                self.weights[f'{name}.{key}']
                for key in ('running_mean', 'running_var', 'weight', 'bias')
            ),
        )

    def squeeze_excite(self, x, name):
        gate = self.conv(x.mean(dim=(2, 3, 4), keepdim=True), f'{name}.fc1')
        return x * self.conv(gate.relu(), f'{name}.fc2').sigmoid()

    def block(self, x, name, stride):
        out = self.norm(self.conv(x, f'{name}.a'), f'{name}.a_bn').relu()
        out = self.norm(self.conv(out, f'{name}.b', stride), f'{name}.b_bn')
        if f'{name}.se.fc1.weight' in self.weights:
            out = self.squeeze_excite(out, f'{name}.se')
        return self.norm(self.conv(F.silu(out), f'{name}.c'), f'{name}.c_bn')

    def __call__(self, x):
        x = self.conv(x, 's1.pathway0_stem.conv_xy', stride=2)
        x = self.norm(
            self.conv(x, 's1.pathway0_stem.conv'), 's1.pathway0_stem.bn'
        )
        x = x.relu()
        for stage, depth in enumerate(self.depths, start=2):
            for block in range(depth):
                name = f's{stage}.pathway0_res{block}'
                stride = 2 if block == 0 else 1
                shortcut = (
                    x
                    if block
                    else self.norm(
                        self.conv(x, f'{name}.branch1', stride),
                        f'{name}.branch1_bn',
                    )
                )
                x = shortcut + self.block(x, f'{name}.branch2', stride)
                x = x.relu()
        x = self.norm(self.conv(x, 'head.conv_5'), 'head.conv_5_bn').relu()
        x = self.conv(x.mean(dim=(2, 3, 4), keepdim=True), 'head.lin_5')
        return F.linear(
            x.relu().flatten(1),
            self.weights['head.projection.weight'],
            self.weights['head.projection.bias'],
        )


def test_x3d_xl_computes_the_same():
    original = PySlowFastX3D()
    model = build(X3D_XL)
    load_state_dict(model, convert_pyslowfast(original.weights), strict=True)
    clip = torch.randn(1, 3, 4, 64, 64, generator=original.generator)
    with torch.no_grad():
        expected = original(clip)
        actual = model.cls_head(model.backbone(clip))
    assert expected.std() > 0.1
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    # The way back, from other weights.
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.mul_(0.9)
    original.weights = to_pyslowfast(model.state_dict())
    with torch.no_grad():
        expected = original(clip)
        actual = model.cls_head(model.backbone(clip))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('name', ['resnet3d', 'slowfast'])
def test_back_to_the_authors_weights(name):
    """The weights of the logits in the forward direction, above."""
    weights = (
        reference(name)[1] if name == 'resnet3d' else slowfast_weights()[1]
    )
    back = to_pyslowfast(convert_pyslowfast(weights))
    assert set(back) == set(weights)
    for key, value in weights.items():
        assert back[key].equal(value), key


@pytest.mark.parametrize('stage', [0, 1, 3])
def test_back_from_any_stage(stage):
    for theirs in (
        f's{stage + 1}.'
        + ('pathway0_stem.' if stage == 0 else '')
        + 'ts_layer.fc.0.weight',
        f's{stage + 1}.pathway1_'
        + ('stem.' if stage == 0 else '')
        + 'ts_layer.bn.bias',
    ):
        value = torch.rand(3)
        ours = convert_pyslowfast({theirs: value})
        assert list(to_pyslowfast(ours, sgs_stage=stage)) == [theirs]


def test_back_without_a_place():
    with pytest.raises(
        ValueError, match='unknown in.*mmaction2: backbone.foo'
    ):
        to_pyslowfast({'backbone.foo.weight': torch.rand(2)})
    with pytest.raises(ValueError, match='not followed by BN.*lateral_norm'):
        to_pyslowfast(
            {
                'backbone.slow_path.conv1_lateral.conv.weight': torch.rand(2),
                'backbone.fast_path.conv1.conv.weight': torch.rand(2),
            }
        )


@pytest.mark.parametrize(
    'key,name',
    [
        ('s2.ts_layer.fc.0.weight', 'backbone.sgs.fc1.weight'),
        ('s3.ts_layer.fc.2.bias', 'backbone.sgs.fc2.bias'),
        (
            's1.pathway0_stem.ts_layer.bn.running_mean',
            'backbone.sgs.bn.running_mean',
        ),
        (
            's5.pathway0_res12.branch1_bn.bias',
            'backbone.layer4.12.downsample.bn.bias',
        ),
        ('head.projection.bias', 'cls_head.fc_cls.bias'),
    ],
)
def test_names(key, name):
    value = torch.rand(3)
    converted = convert_pyslowfast({key: value})
    assert list(converted) == [name] and converted[name] is value


def test_unknown_names_are_told():
    keys = ['s3.pathway0_nonlocal1.conv_g.weight', 'head.lin_5_bn.weight']
    weights = dict.fromkeys(['head.projection.bias', *keys], torch.rand(3))
    with pytest.raises(ValueError, match=re.escape(', '.join(keys))):
        convert_pyslowfast(weights)
    many = {f'blocks.{i}.weight': torch.rand(3) for i in range(20)}
    with pytest.raises(ValueError, match=r'blocks\.7\.weight and 12 more'):
        convert_pyslowfast(many)


def test_two_sampling_layers_are_refused():
    keys = ['s2.ts_layer.bn.bias', 's3.ts_layer.bn.bias']
    with pytest.raises(ValueError, match=' and '.join(keys)):
        convert_pyslowfast(dict.fromkeys(keys, torch.rand(8)))


def test_slowfast_head_without_its_features_is_refused():
    weights = slowfast_weights()[1]
    del weights['s5.pathway1_res0.branch1_bn.weight']
    with pytest.raises(ValueError, match='s5.pathway1_res0.branch1_bn'):
        convert_pyslowfast(weights)
