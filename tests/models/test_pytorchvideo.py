"""X3D weights in pytorchvideo's layout."""

import pytest
import torch
import torch.nn.functional as F

import mmatfr
from mmatfr.models.pytorchvideo import from_pytorchvideo, to_pytorchvideo

# XS, S and M are one network.
SIZES = {
    'S': ('x3d_s_8xb16-13x6x1-300e_kinetics400-rgb', (3, 5, 11, 7)),
    'L': ('x3d_l_8xb8-16x5x1-256e_kinetics400-rgb', (5, 10, 25, 15)),
}


class PytorchvideoX3D:
    """Runs X3D on weights with pytorchvideo's names, following its source."""

    def __init__(self, weights, depths):
        self.unused = dict(weights)
        self.weights, self.depths = weights, depths

    def read(self, name):
        self.unused.pop(name, None)
        return self.weights.get(name)

    def conv(self, x, name, stride=1):
        weight = self.read(f'{name}.weight')
        return F.conv3d(
            x,
            weight,
            self.read(f'{name}.bias'),
            stride=(1, stride, stride),
            padding=[size // 2 for size in weight.shape[2:]],
            groups=x.shape[1] // weight.shape[1],
        )

    def norm(self, x, name):
        self.read(f'{name}.num_batches_tracked')
        return F.batch_norm(
            x,
            *(
                self.read(f'{name}.{key}')
                for key in ('running_mean', 'running_var', 'weight', 'bias')
            ),
        )

    def bottleneck(self, x, name, stride):
        x = self.norm(self.conv(x, f'{name}.conv_a'), f'{name}.norm_a').relu()
        x = self.norm(
            self.conv(x, f'{name}.conv_b', stride), f'{name}.norm_b.0'
        )
        squeeze = f'{name}.norm_b.1.block'
        if f'{squeeze}.0.weight' in self.weights:
            gate = x.mean(dim=(2, 3, 4), keepdim=True)
            gate = self.conv(gate, f'{squeeze}.0').relu()
            x = x * self.conv(gate, f'{squeeze}.2').sigmoid()
        return self.norm(
            self.conv(F.silu(x), f'{name}.conv_c'), f'{name}.norm_c'
        )

    def __call__(self, x):
        x = self.conv(x, 'blocks.0.conv.conv_t', stride=2)
        x = self.conv(x, 'blocks.0.conv.conv_xy')
        x = self.norm(x, 'blocks.0.norm').relu()
        for stage, depth in enumerate(self.depths, start=1):
            for block in range(depth):
                name = f'blocks.{stage}.res_blocks.{block}'
                stride = 1 if block else 2
                out = self.bottleneck(x, f'{name}.branch2', stride)
                if not block:
                    x = self.conv(x, f'{name}.branch1_conv', stride)
                    if stage > 1:  # only where the width changes
                        x = self.norm(x, f'{name}.branch1_norm')
                x = (x + out).relu()
        x = self.conv(x, 'blocks.5.pool.pre_conv')
        x = self.norm(x, 'blocks.5.pool.pre_norm').relu()
        x = x.mean(dim=(2, 3, 4), keepdim=True)
        x = self.conv(x, 'blocks.5.pool.post_conv').relu().flatten(1)
        return F.linear(
            x,
            self.read('blocks.5.proj.weight'),
            self.read('blocks.5.proj.bias'),
        )


def randomize(model):
    """Statistics of BN as after a training, and activations that stay small
    through many blocks."""
    generator = torch.manual_seed(0)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm3d):
            scale = 0.2 if 'conv3' in name else 1.0
            for tensor, low in (
                (module.weight, 0.5 * scale),
                (module.bias, -0.5),
                (module.running_mean, -0.5),
                (module.running_var, 0.5),
            ):
                width = scale if tensor is module.weight else 1.0
                tensor.data.uniform_(low, low + width, generator=generator)


@pytest.mark.parametrize('size', SIZES)
def test_gives_the_same_logits_both_ways(size):
    name, depths = SIZES[size]
    model = mmatfr.create_model(name, num_classes=9)
    randomize(model)
    clip = torch.randn(1, 3, 4, 64, 64)
    theirs = to_pytorchvideo(model.state_dict())
    original = PytorchvideoX3D(theirs, depths)
    with torch.no_grad():
        ours = model.cls_head(model.backbone(clip))
        logits = original(clip)
    assert not original.unused, 'has a name that pytorchvideo does not know'
    assert ours.std() > 0.1
    torch.testing.assert_close(logits, ours, rtol=1e-4, atol=1e-4)

    back = mmatfr.create_model(name, num_classes=9)
    back.load_state_dict(from_pytorchvideo(theirs))
    with torch.no_grad():
        logits = back.cls_head(back.backbone(clip))
    torch.testing.assert_close(logits, ours, rtol=1e-4, atol=1e-4)
    again = to_pytorchvideo(back.state_dict())
    assert list(again) and set(again) == set(theirs)


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match='pytorchvideo: blocks.9.norm.weight'):
        from_pytorchvideo({'blocks.9.norm.weight': torch.rand(2)})
    with pytest.raises(ValueError, match='mmaction2: backbone.sgs.bn.weight'):
        to_pytorchvideo({'backbone.sgs.bn.weight': torch.rand(2)})
