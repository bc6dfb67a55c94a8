"""The place in a stage where its feature maps are sampled."""

from typing import Callable, Optional

from torch import Tensor, nn

__all__ = ['hook_maps']


def hook_maps(
    backbone: nn.Module,
    name: str,
    hook: Callable[..., Optional[Tensor]],
    pre_activation: bool = False,
    option: str = 'sgs',
) -> None:
    """Registers a hook on the feature maps of a stage.

    Args:
        backbone (nn.Module): The backbone.
        name (str): Name of the stage.
        hook (Callable): Called with the stage, its arguments and its output;
            before an activation, with the activation and its arguments. A
            returned tensor replaces the maps.
        pre_activation (bool): Whether to hook the maps before the last ReLU of
            the stage. Defaults to False.
        option (str): Name of the options in a config, for messages. Defaults
            to 'sgs'.

    Raises:
        ValueError: If the stage does not end in a residual block with a ReLU.
    """
    stage = backbone.get_submodule(name)
    if not pre_activation:
        stage.register_forward_hook(hook)
        return
    block = next(reversed([*stage.children()]), None)
    block = getattr(block, 'net', block)  # within a temporal shift
    relu = getattr(block, 'relu', None)
    if not isinstance(relu, nn.Module):
        raise ValueError(
            f'{option}.pre_activation=True samples before the last ReLU of a '
            f'residual stage, but {name!r} does not end in one; set '
            f'{option}.pre_activation=False or another {option}.stage'
        )
    if getattr(block, 'non_local', False):
        raise ValueError(
            f'{option}.pre_activation=True is not possible if the last block '
            f'of {name!r} ends in a non-local block; set '
            f'{option}.pre_activation=False'
        )
    relu.register_forward_pre_hook(hook)
