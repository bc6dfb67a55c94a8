"""Conversion of weights between PySlowFast and mmaction2.

The networks published with Similarity Guided Sampling (arXiv:2011.08652) and
with X3D (arXiv:2004.04730) are in PySlowFast's layout.
"""

import re
from typing import (
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from torch import Tensor

__all__ = ['convert_pyslowfast', 'enumerate_some', 'to_pyslowfast']

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
# The last part of a name, the only one that both have in common.
TENSOR = r'weight|bias|running_mean|running_var|num_batches_tracked'
# The length of this tensor is the width of the fast features.
FAST_WIDTH = 's5.pathway1_res0.branch1_bn.weight'


def enumerate_some(names: Sequence[str], limit: int = 8) -> str:
    """Lists the first few of many names.

    Args:
        names (Sequence[str]): All of them.
        limit (int): Maximum number of names. Defaults to 8.

    Returns:
        str: These names, and the number of the others.

    Examples:
        >>> enumerate_some(['a', 'b', 'c', 'd'], limit=2)
        'a, b and 2 more'
    """
    more = len(names) - limit
    return ', '.join(names[:limit]) + (f' and {more} more' if more > 0 else '')


class Rule(NamedTuple):
    """Renames the modules of one part of a network.

    Attributes:
        place (str): Regular expression for the name of the part, which may
            have the groups `stage`, `pathway` and `block`.
        modules (dict[str, str]): Maps PySlowFast's names within the part to
            mmaction2's.
        template (str): mmaction2's name of the module.
    """

    place: str
    modules: Mapping[str, str]
    template: str

    def rename(self, key: str, pathways: List[str]) -> Optional[str]:
        """Renames a tensor.

        Args:
            key (str): PySlowFast's name.
            pathways (list[str]): mmaction2's prefix of each pathway.

        Returns:
            str: mmaction2's name; None if the rule does not apply.
        """
        modules = '|'.join(map(re.escape, self.modules))
        match = re.fullmatch(
            rf'{self.place}\.(?P<module>{modules})\.(?P<tensor>{TENSOR})', key
        )
        if match is None:
            return None
        part = match.groupdict()
        # PySlowFast counts the stem as stage 1.
        stage = int(part.get('stage') or 1)
        module = self.template.format(
            block=part.get('block'),
            pathway=pathways[int(part.get('pathway') or 0)],
            stage=f'layer{stage - 1}' if stage > 1 else 'conv1',
            module=self.modules[part['module']],
        )
        return f'{module}.{part["tensor"]}'


def get_rules(x3d: bool) -> List[Rule]:
    """Lists the rules for one kind of network.

    Args:
        x3d (bool): Whether it is an X3D or any other.

    Returns:
        list[Rule]: The rules; at most one applies to a key.
    """
    return [
        Rule(
            r's1\.pathway(?P<pathway>[01])_stem',
            X3D_STEM if x3d else RESNET_STEM,
            'backbone.{pathway}{module}',
        ),
        Rule(
            r's(?P<stage>[1-4])_fuse',
            LATERAL,
            'backbone.slow_path.{stage}_lateral.{module}',
        ),
        Rule(
            r's(?P<stage>[2-5])\.pathway(?P<pathway>[01])_res(?P<block>\d+)',
            BLOCK,
            'backbone.{pathway}{stage}.{block}.{module}',
        ),
        # A single pathway has no name, except in the stem.
        Rule(
            r's[1-5]\.(?:pathway(?P<pathway>[01])_(?:stem\.)?)?ts_layer',
            SGS,
            'backbone.{pathway}sgs.{module}',
        ),
        Rule('head', X3D_HEAD if x3d else RESNET_HEAD, '{module}'),
    ]


def rename_keys(
    keys: Sequence[str], x3d: bool, two_pathways: bool
) -> Dict[str, str]:
    """Maps PySlowFast's names to mmaction2's.

    Args:
        keys (Sequence[str]): PySlowFast's names.
        x3d (bool): Whether the network is an X3D.
        two_pathways (bool): Whether the network is a SlowFast.

    Returns:
        dict[str, str]: mmaction2's name for each key.

    Raises:
        ValueError: If a key is unknown, or two keys map to the same name.
    """
    rules = get_rules(x3d)
    pathways = ['slow_path.', 'fast_path.'] if two_pathways else ['', '']
    names: Dict[str, str] = {}
    sources: Dict[str, str] = {}
    unknown = []
    for key in keys:
        found = [rule.rename(key, pathways) for rule in rules]
        name = next(filter(None, found), None)
        if name is None:
            unknown.append(key)
        elif name in sources:
            raise ValueError(
                f'{sources[name]} and {key} would both become '
                f'{name}: a pathway has one sampling layer'
            )
        else:
            names[key], sources[name] = name, key
    if unknown:
        raise ValueError(
            'unknown in a SlowFast, X3D or 3D ResNet: '
            + enumerate_some(unknown)
        )
    return names


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
    names = rename_keys(list(state_dict), x3d, two_pathways)
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


def _back(modules: Mapping[str, str]) -> Dict[str, str]:
    return {ours: theirs for theirs, ours in modules.items()}


def get_rules_back(x3d: bool, sgs: str) -> List[Tuple[str, Dict, str]]:
    """Lists the rules from mmaction2's names to PySlowFast's.

    Args:
        x3d (bool): Whether it is an X3D or any other.
        sgs (str): PySlowFast's name of the sampling layer.

    Returns:
        list[tuple]: Regular expression for the name of a part, its modules,
        and the template of PySlowFast's name.
    """
    path = r'backbone\.(?:(?P<path>slow|fast)_path\.)?'
    return [
        (
            path,
            _back(X3D_STEM if x3d else RESNET_STEM),
            's1.pathway{pathway}_stem.{module}',
        ),
        (
            path + r'(?P<stage>conv1|layer[1-3])_lateral\.',
            _back(LATERAL),
            's{stage}_fuse.{module}',
        ),
        (
            path + r'(?P<stage>layer[1-4])\.(?P<block>\d+)\.',
            _back(BLOCK),
            's{stage}.pathway{pathway}_res{block}.{module}',
        ),
        (path + r'sgs\.', _back(SGS), sgs + '.{module}'),
        ('', _back(X3D_HEAD if x3d else RESNET_HEAD), 'head.{module}'),
    ]


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
    layer = f's{sgs_stage + 1}.'
    if two_pathways or sgs_stage == 0:
        layer += 'pathway{pathway}_' + ('stem.' if sgs_stage == 0 else '')
    rules = get_rules_back(x3d, layer + 'ts_layer')
    weights, unknown = {}, []
    for key, value in state_dict.items():
        for place, modules, template in rules:
            names = '|'.join(map(re.escape, modules))
            match = re.fullmatch(
                rf'{place}(?P<module>{names})\.(?P<tensor>{TENSOR})', key
            )
            if match:
                part = match.groupdict()
                stage = part.get('stage') or 'conv1'
                name = template.format(
                    pathway=int(part.get('path') == 'fast'),
                    # PySlowFast counts the stem as stage 1.
                    stage=1 if stage == 'conv1' else int(stage[-1]) + 1,
                    block=part.get('block'),
                    module=modules[part['module']],
                )
                weights[f'{name}.{part["tensor"]}'] = value
                break
        else:
            unknown.append(key)
    if unknown:
        raise ValueError('not in PySlowFast: ' + enumerate_some(unknown))
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
