"""Numbers of bins of a recognizer, in its layers and in its config."""

import copy
from typing import Any, Dict, List, Mapping, MutableMapping, Optional, Union

from torch import nn

from mmatfr.sgs import get_num_bins
from mmatfr.sgs import set_num_bins as set_in_layers

from .config import type_name

__all__ = ['describe_num_bins', 'set_num_bins']


def set_num_bins(
    model: nn.Module, num_bins: Union[int, Mapping[str, Optional[int]]]
) -> None:
    """Changes the number of bins of a trained recognizer.

    No weight depends on it: one checkpoint serves several budgets. If the
    recognizer has a config of mmaction2, ``model.cfg``, it is replaced with a
    copy that has the new numbers.

    Args:
        model (nn.Module): A recognizer, or a network with its head.
        num_bins (int | Mapping[str, int | None]): Number of bins B, for all
            sampling layers or for each by name.

    Raises:
        ValueError: If no layer samples, a layer has no number of bins, a
            number is not positive, or the names are not those of the layers.
    """
    set_in_layers(model, num_bins)
    cfg: Any = getattr(model, 'cfg', None)
    if not isinstance(getattr(cfg, 'model', None), Mapping):
        return
    described = copy.deepcopy(cfg.model)
    describe_num_bins(described, get_num_bins(model))
    if described != cfg.model:
        cfg = copy.deepcopy(cfg)  # others may share the old one
        cfg.model = described
        model.cfg = cfg


def describe_num_bins(
    model: Dict[str, Any], num_bins: Mapping[str, Optional[int]]
) -> None:
    """Sets numbers of bins in a config.

    Args:
        model (dict): The ``model`` of the config; changed in place. What does
            not sample in it is unchanged.
        num_bins (Mapping[str, int | None]): Number of bins of each sampling
            layer, by name.
    """
    for name, number in num_bins.items():
        options = _options_of(name, model, list(num_bins))
        if isinstance(options, MutableMapping):
            options['num_bins'] = number


def _options_of(name: str, model: Dict[str, Any], layers: List[str]) -> Any:
    """Finds the options of a layer: of a neck, a backbone or its pathway."""
    part, *path = name.split('.')
    options = model.get(part)
    if not isinstance(options, Mapping):
        return None
    if part == 'neck':
        return options if type_name(options) == 'SGSNeck' else None
    sgs = options.get('sgs')
    if path == ['sgs'] or not isinstance(sgs, Mapping):
        return sgs
    pathways = [x.split('.')[1] for x in layers if x.startswith(f'{part}.')]
    if not set(sgs) & set(pathways):  # the same for all
        sgs = {pathway: copy.deepcopy(sgs) for pathway in pathways}
        model[part]['sgs'] = sgs
    return model[part]['sgs'].get(path[0])
