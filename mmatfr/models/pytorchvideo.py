"""Conversion of X3D weights between pytorchvideo's hub and mmaction2.

It supports the sizes XS to L, with 24, 48, 96 and 192 channels. In
pytorchvideo the shortcut of the first stage has a convolution without BN; in
mmaction2 it has BN.
"""

from typing import Dict, Mapping

import torch
from torch import Tensor

from .renaming import Part, rename

__all__ = ['from_pytorchvideo', 'to_pytorchvideo']

_EPS = 1e-5  # of BN, in both
_BN = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')


_PARTS = (
    Part(
        'blocks.0',
        'backbone',
        {
            # pytorchvideo calls the spatial convolution conv_t.
            'conv.conv_t': 'conv1_s.conv',
            'conv.conv_xy': 'conv1_t.conv',
            'norm': 'conv1_t.bn',
        },
    ),
    Part(
        'blocks.{}.res_blocks.{}',
        'backbone.layer{}.{}',
        {
            'branch1_conv': 'downsample.conv',
            'branch1_norm': 'downsample.bn',
            'branch2.conv_a': 'conv1.conv',
            'branch2.norm_a': 'conv1.bn',
            'branch2.conv_b': 'conv2.conv',
            'branch2.norm_b.0': 'conv2.bn',
            'branch2.norm_b.1.block.0': 'se_module.fc1',
            'branch2.norm_b.1.block.2': 'se_module.fc2',
            'branch2.conv_c': 'conv3.conv',
            'branch2.norm_c': 'conv3.bn',
        },
    ),
    Part(
        'blocks.5',
        '',
        {
            'pool.pre_conv': 'backbone.conv5.conv',
            'pool.pre_norm': 'backbone.conv5.bn',
            'pool.post_conv': 'cls_head.fc1',
            'proj': 'cls_head.fc2',
        },
    ),
)


def from_pytorchvideo(state_dict: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Converts weights of pytorchvideo's X3D.

    Args:
        state_dict (Mapping[str, Tensor]): ``model_state`` of a checkpoint.

    Returns:
        dict[str, Tensor]: Weights of a recognizer with ``X3D`` and
        ``X3DHead``. A shortcut without BN gets an identity BN.

    Raises:
        ValueError: If a name is unknown.
    """
    names = rename(state_dict, _PARTS, 'an X3D of pytorchvideo', back=False)
    weights = {names[key]: value for key, value in state_dict.items()}
    for key in list(weights):
        if key.endswith('.downsample.conv.weight'):
            bn = key.removesuffix('conv.weight') + 'bn'
            if f'{bn}.weight' not in weights:
                like = weights[key][:, 0, 0, 0, 0]
                identity = (
                    torch.full_like(like, (1 + _EPS) ** 0.5),
                    torch.zeros_like(like),
                    torch.zeros_like(like),
                    torch.ones_like(like),
                    torch.tensor(0),
                )
                weights.update(
                    zip((f'{bn}.{k}' for k in _BN), identity, strict=True)
                )
    if 'cls_head.fc1.weight' in weights:  # a 1x1x1 convolution in pytorchvideo
        weights['cls_head.fc1.weight'] = weights[
            'cls_head.fc1.weight'
        ].flatten(1)
    return weights


def to_pytorchvideo(state_dict: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Converts weights of mmaction2's X3D back to pytorchvideo.

    Args:
        state_dict (Mapping[str, Tensor]): Weights of a recognizer with ``X3D``
            and ``X3DHead``, without sampling.

    Returns:
        dict[str, Tensor]: Weights by pytorchvideo's names. The BN of the
        shortcut in the first stage, in evaluation mode, is folded into the
        convolution before it and into the bias of the BN of the main branch.

    Raises:
        ValueError: If a name is unknown.
    """
    weights = dict(state_dict)
    bn = 'backbone.layer1.0.downsample.bn'
    if f'{bn}.weight' in weights:
        gain, bias, mean, var, _ = (weights.pop(f'{bn}.{k}') for k in _BN)
        scale = gain / (var + _EPS).sqrt()
        conv = 'backbone.layer1.0.downsample.conv.weight'
        weights[conv] = weights[conv] * scale[:, None, None, None, None]
        sum_bias = 'backbone.layer1.0.conv3.bn.bias'
        weights[sum_bias] = weights[sum_bias] + bias - mean * scale
    if 'cls_head.fc1.weight' in weights:
        weights['cls_head.fc1.weight'] = weights['cls_head.fc1.weight'][
            ..., None, None, None
        ]
    names = rename(weights, _PARTS, 'an X3D of mmaction2', back=True)
    return {names[key]: value for key, value in weights.items()}
