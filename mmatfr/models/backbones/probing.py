"""Shapes inside a backbone, without values."""

from typing import Dict, List, Sequence, Tuple, Union

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mmatfr.ragged import PROBE_FRAMES, Places, watch_places

__all__ = ['Features', 'as_list', 'probe']

# Height and width of the clip for finding the shapes in the base.
_PROBE_SIZE = (64, 64)
Features = Union[Tensor, Tuple[Tensor, ...]]


def probe(
    backbone: nn.Module, names: Sequence[str]
) -> Tuple[Dict[str, Tensor], Places, List[Tensor]]:
    """Runs the base class on a clip with a shape but no values.

    Args:
        backbone (nn.Module): The backbone.
        names (Sequence[str]): Names of modules.

    Returns:
        tuple: The outputs of these modules by name, the places of all
        modules, and the outputs of the backbone.
    """
    tensors = {
        name: tensor.to('meta')
        for name, tensor in (
            *backbone.named_parameters(),
            *backbone.named_buffers(),
        )
    }
    # The first kernel is that of the stem, (out, in, ...).
    channels = next(p for p in backbone.parameters() if p.dim() > 3).shape[1]
    num_segments = getattr(backbone, 'num_segments', None)
    shape = (
        (1, channels, PROBE_FRAMES)
        if num_segments is None
        else (num_segments, channels)
    )
    clip = torch.empty(*shape, *_PROBE_SIZE, device='meta')
    seen: Dict[str, Tensor] = {}
    handles = [
        backbone.get_submodule(name).register_forward_hook(
            lambda module, args, out, name=name: seen.update({name: out})
        )
        for name in names
    ]
    try:
        with torch.no_grad(), watch_places(backbone) as places:
            outputs = functional_call(backbone, tensors, clip)
    finally:
        for handle in handles:
            handle.remove()
    return seen, places, as_list(outputs)


def as_list(outputs: Features) -> List[Tensor]:
    """Returns the outputs of a backbone as a list, also a single one."""
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
