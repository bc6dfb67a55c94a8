"""Numbers of bins in the config of a recognizer."""

import copy
from typing import Any, Dict, List, Mapping, MutableMapping, Optional

from torch import nn

__all__ = ['describe_num_bins', 'update_config']


def update_config(
    network: nn.Module, num_bins: Mapping[str, Optional[int]]
) -> None:
    """Makes the config of a recognizer describe its numbers of bins.

    A network without a config of mmaction2, ``network.cfg``, is unchanged.

    Args:
        network (nn.Module): A recognizer. Its config is replaced with a copy
            if the numbers are new.
        num_bins (Mapping[str, int | None]): Number of bins of each sampling
            layer, by name.
    """
    cfg: Any = getattr(network, 'cfg', None)
    if not isinstance(getattr(cfg, 'model', None), Mapping):
        return
    model = copy.deepcopy(cfg.model)
    describe_num_bins(model, num_bins)
    if model != cfg.model:
        cfg = copy.deepcopy(cfg)  # others may share the old one
        cfg.model = model
        network.cfg = cfg


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
        return options if options.get('type') == 'SGSNeck' else None
    sgs = options.get('sgs')
    if path == ['sgs'] or not isinstance(sgs, Mapping):
        return sgs
    pathways = [x.split('.')[1] for x in layers if x.startswith(f'{part}.')]
    if not set(sgs) & set(pathways):  # the same for all
        sgs = {pathway: copy.deepcopy(sgs) for pathway in pathways}
        model[part]['sgs'] = sgs
    return model[part]['sgs'].get(path[0])
