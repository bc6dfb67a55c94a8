"""Variants of backbones with adaptive temporal resolution."""

import sys
from typing import Callable, Mapping, Type, Union

from torch import nn

from .atfr import ATFR
from .pathway import Stages

__all__ = ['atfr']


def atfr(
    backbone: type,
    stages: Union[
        Stages,
        Mapping[str, Stages],
        Callable[[nn.Module], Union[Stages, Mapping[str, Stages]]],
    ],
    has_head: bool = False,
) -> Type[ATFR]:
    """Creates the variant of a staged backbone with adaptive resolution.

    Args:
        backbone (type[nn.Module]): A class of 3D backbones, or of 2D backbones
            with an attribute ``num_segments``.
        stages (Sequence | Mapping | Callable): Names of the modules after
            which it can sample, in the order of execution: the last module of
            the stem, then the stages. Instead of a name, a sequence of names
            stands for a stage and the modules that take its output before the
            next stage does. A mapping has such a list for each pathway, by the
            name of the submodule that gets the layer. A function returns any
            of these for a backbone.
        has_head (bool): Whether the class contains its head: it returns
            scores, which it computes from the maps of the last stage. Its
            networks need no recognizer around them for
            :func:`mmatfr.insert`. Defaults to False.

    Returns:
        type: The class ``ATFR<name of the base>``, which takes the arguments
        of the base and those of :class:`ATFR`.

    Examples:
        >>> import torch
        >>> from mmaction.registry import MODELS
        >>> from mmatfr.models import atfr
        >>> class TwoStages(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.stem = torch.nn.Conv3d(3, 8, 3, padding=1)
        ...         self.stage1 = torch.nn.Conv3d(8, 16, 3, padding=1)
        ...     def forward(self, x):
        ...         return self.stage1(self.stem(x).relu())
        >>> ATFRTwoStages = atfr(TwoStages, stages=['stem', 'stage1'])
        >>> _ = MODELS.register_module(module=ATFRTwoStages)
        >>> backbone = MODELS.build(
        ...     dict(type='ATFRTwoStages', sgs=dict(stage=0)))
        >>> backbone(torch.rand(2, 3, 8, 16, 16)).shape
        torch.Size([2, 16, 1, 16, 16])
    """

    def atfr_stages(self) -> Union[Stages, Mapping[str, Stages]]:
        return stages(self) if callable(stages) else stages

    return type(
        f'ATFR{backbone.__name__}',
        (ATFR, backbone),
        dict(
            atfr_stages=atfr_stages,
            has_head=has_head,
            __doc__=f'{backbone.__name__} with Similarity Guided Sampling.',
            # For look-up by name, as in collections.namedtuple.
            __module__=sys._getframe(1).f_globals['__name__'],
        ),
    )
