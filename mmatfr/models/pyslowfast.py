"""Conversion of weights between PySlowFast and mmaction2.

The networks published with Similarity Guided Sampling (arXiv:2011.08652) and
with X3D (arXiv:2004.04730) are in PySlowFast's layout.
"""

from typing import Dict, Iterable, List, Mapping

from torch import Tensor

from .renaming import Part, rename

__all__ = ['convert_pyslowfast', 'to_pyslowfast']

BLOCK = {
    'branch1': 'downsample.conv',
    'branch1_bn': 'downsample.bn',
    'branch2.a': 'conv1.conv',
    'branch2.a_bn': 'conv1.bn',
    'branch2.b': 'conv2.conv',
    'branch2.b_bn': 'conv2.bn',
    'branch2.c': 'conv3.conv',
    'branch2.c_bn': 'conv3.bn',
    'branch2.se.fc1': 'se_module.fc1',
    'branch2.se.fc2': 'se_module.fc2',
}
LATERAL = {'conv_f2s': 'conv', 'bn': 'bn'}
SGS = {'fc.0': 'fc1', 'fc.2': 'fc2', 'bn': 'bn'}
RESNET_STEM = {'conv': 'conv1.conv', 'bn': 'conv1.bn'}
RESNET_HEAD = {'projection': 'cls_head.fc_cls'}
X3D_STEM = {
    'conv_xy': 'conv1_s.conv',
    'conv': 'conv1_t.conv',
    'bn': 'conv1_t.bn',
}
X3D_HEAD = {
    'conv_5': 'backbone.conv5.conv',
    'conv_5_bn': 'backbone.conv5.bn',
    'lin_5': 'cls_head.fc1',
    'projection': 'cls_head.fc2',
}
# The length of this tensor is the width of the fast features.
FAST_WIDTH = 's5.pathway1_res0.branch1_bn.weight'


def list_parts(
    x3d: bool, two_pathways: bool, sgs_stages: Iterable[int]
) -> List[Part]:
    """Lists the parts of a network.

    Args:
        x3d (bool): Whether it is an X3D or any other.
        two_pathways (bool): Whether it is a SlowFast.
        sgs_stages (Iterable[int]): Stages that a sampling layer may follow; 0
            is the stem.

    Returns:
        list[Part]: The parts.
    """
    parts = [Part('head', '', X3D_HEAD if x3d else RESNET_HEAD)]
    paths = ['.slow_path', '.fast_path'] if two_pathways else ['']
    for number, path in enumerate(paths):
        ours = f'backbone{path}'
        stem = f's1.pathway{number}_stem'
        parts.append(Part(stem, ours, X3D_STEM if x3d else RESNET_STEM))
        # PySlowFast counts the stem as stage 1.
        for stage in range(1, 5):
            name = f's{stage + 1}.pathway{number}_res{{}}'
            parts.append(Part(name, f'{ours}.layer{stage}.{{}}', BLOCK))
        for stage in sgs_stages:
            # A single pathway has no name, except in the stem.
            name = f'pathway{number}_' if two_pathways else ''
            name = f's{stage + 1}.{name}ts_layer' if stage else ''
            parts.append(Part(name or f'{stem}.ts_layer', f'{ours}.sgs', SGS))
    for stage, name in enumerate(('conv1', 'layer1', 'layer2', 'layer3')):
        ours = f'backbone.slow_path.{name}_lateral'
        parts.append(Part(f's{stage + 1}_fuse', ours, LATERAL))
    return parts


def convert_pyslowfast(state_dict: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Converts the weights of a network of PySlowFast.

    The result is for a :class:`mmaction.models.Recognizer3D` with one of these
    backbones and heads, without or with Similarity Guided Sampling:

    - SlowFast: ``ResNet3dSlowFast`` with ``lateral_norm=True`` in its slow
      pathway, and ``SlowFastHead``;
    - X3D: ``X3D`` and ``X3DHead``;
    - any other 3D ResNet, such as SlowOnly, I3D and C2D: ``ResNet3d`` and
      ``I3DHead``.

    The weights of a sampling layer become those of `sgs`. Its options are not
    part of a checkpoint: the authors' networks need
    ``sgs=dict(pre_activation=True, similarity='l2', kernel='linear')``, or the
    options with which they were trained.

    Args:
        state_dict (Mapping[str, Tensor]): Weights by PySlowFast's names, i.e.
            `model_state` of its checkpoints.

    Returns:
        dict[str, Tensor]: Weights by mmaction2's names.

    Raises:
        ValueError: If a name is unknown, or if a pathway has sampling layers
            in several stages.

    Examples:
        >>> import torch
        >>> weights = convert_pyslowfast({
        ...     's3.pathway0_res1.branch2.a.weight': torch.rand(8, 32, 1, 1, 1)
        ... })
        >>> list(weights)
        ['backbone.layer2.1.conv1.conv.weight']
    """
    x3d = 's1.pathway0_stem.conv_xy.weight' in state_dict
    two_pathways = any('.pathway1_' in key for key in state_dict)
    names = rename(
        state_dict,
        list_parts(x3d, two_pathways, sgs_stages=range(5)),
        'a SlowFast, X3D or 3D ResNet of PySlowFast',
        back=False,
    )
    weights = {names[key]: value for key, value in state_dict.items()}
    if x3d and 'cls_head.fc1.weight' in weights:
        # A 1x1x1 convolution in PySlowFast, a linear layer in mmaction2.
        weights['cls_head.fc1.weight'] = weights[
            'cls_head.fc1.weight'
        ].flatten(1)
    if two_pathways and 'cls_head.fc_cls.weight' in weights:
        if FAST_WIDTH not in state_dict:
            raise ValueError(
                'head.projection.weight cannot be converted '
                f'without {FAST_WIDTH}, because its length determines which '
                'columns belong to the fast pathway'
            )
        # PySlowFast puts the slow features first, mmaction2 the fast.
        weights['cls_head.fc_cls.weight'] = weights[
            'cls_head.fc_cls.weight'
        ].roll(len(state_dict[FAST_WIDTH]), dims=1)
    return weights


def to_pyslowfast(
    state_dict: Mapping[str, Tensor], sgs_stage: int = 1
) -> Dict[str, Tensor]:
    """Converts weights back to the layout of PySlowFast.

    Args:
        state_dict (Mapping[str, Tensor]): Weights of one of the recognizers of
            :func:`convert_pyslowfast`.
        sgs_stage (int): Stage before a sampling layer, ``sgs.stage`` of the
            config. Defaults to 1.

    Returns:
        dict[str, Tensor]: Weights by PySlowFast's names.

    Raises:
        ValueError: If a name is unknown, or a lateral connection has no BN,
            which PySlowFast requires.

    Examples:
        >>> import torch
        >>> list(to_pyslowfast({'backbone.sgs.fc1.weight': torch.rand(2, 4)}))
        ['s2.ts_layer.fc.0.weight']
    """
    x3d = 'backbone.conv1_s.conv.weight' in state_dict
    two_pathways = any('.fast_path.' in key for key in state_dict)
    laterals = {k for k in state_dict if k.endswith('_lateral.conv.weight')}
    for key in laterals:
        if key.replace('conv.weight', 'bn.weight') not in state_dict:
            raise ValueError(
                f'{key} is not followed by BN, as in PySlowFast; train with '
                'slow_pathway=dict(lateral_norm=True)'
            )
    names = rename(
        state_dict,
        list_parts(x3d, two_pathways, sgs_stages=[sgs_stage]),
        'a SlowFast, X3D or 3D ResNet of mmaction2',
        back=True,
    )
    weights = {names[key]: value for key, value in state_dict.items()}
    if x3d and 'head.lin_5.weight' in weights:
        weights['head.lin_5.weight'] = weights['head.lin_5.weight'][
            ..., None, None, None
        ]
    if two_pathways and 'head.projection.weight' in weights:
        if FAST_WIDTH not in weights:
            raise ValueError(
                'cls_head.fc_cls.weight cannot be converted without the fast '
                'pathway; its width determines which columns belong to it'
            )
        weights['head.projection.weight'] = weights[
            'head.projection.weight'
        ].roll(-len(weights[FAST_WIDTH]), dims=1)
    return weights
