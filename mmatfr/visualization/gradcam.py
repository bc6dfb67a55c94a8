"""Grad-CAM of recognizers whose stages run on groups of frames."""

from typing import List, Optional

import torch
from mmaction.utils import GradCAM as _GradCAM
from torch import Tensor, nn

from mmatfr.models import ATFR
from mmatfr.ragged import take_clips

__all__ = ['GradCAM']


class GradCAM(_GradCAM):
    """mmaction2's Grad-CAM, with the map of the group for each frame.

    mmaction2's class treats the groups of a clip as equidistant frames.

    Args:
        model (nn.Module): A recognizer of mmaction2, with or without sampling.
        target_layer_name (str): Name of the module with the activations to
            show, e.g. 'backbone/layer4'.
        colormap (str): Colormap of matplotlib. Defaults to 'viridis'.

    Examples:
        >>> import torch
        >>> from mmaction.registry import MODELS
        >>> from mmaction.structures import ActionDataSample
        >>> from mmengine.registry import init_default_scope
        >>> from mmatfr.visualization.gradcam import GradCAM
        >>> init_default_scope('mmaction')
        >>> model = MODELS.build(dict(
        ...     type='Recognizer3D',
        ...     backbone=dict(type='ATFRX3D', gamma_b=2.25, sgs=dict(stage=1)),
        ...     cls_head=dict(type='X3DHead', in_channels=432, num_classes=12),
        ...     data_preprocessor=dict(
        ...         type='ActionDataPreprocessor', format_shape='NCTHW')))
        >>> data = dict(inputs=[torch.rand(1, 3, 8, 32, 32)],
        ...             data_samples=[ActionDataSample()])
        >>> blended, scores = GradCAM(model, 'backbone/layer4')(data)
        >>> blended.shape
        torch.Size([1, 8, 32, 32, 3])
    """

    def _register_hooks(self, layer_name: str) -> None:
        # Activations and gradients of each forward of the module.
        self._seen: List[List[Optional[Tensor]]] = []
        name = layer_name.replace('/', '.')
        part, _, within = name.partition('.')
        adaptive = part == 'backbone' and isinstance(self.model.backbone, ATFR)

        def store_maps(module: nn.Module, args: tuple, out: Tensor) -> None:
            index = (
                self.model.backbone.group_of_frames(within)
                if adaptive
                else None
            )

            def spread(maps: Tensor) -> Tensor:
                return maps if index is None else take_clips(maps, index)

            place = len(self._seen)
            self._seen.append([spread(out.detach().clone()), None])
            out.register_hook(lambda grad: self._receive(place, spread(grad)))

        self.model.get_submodule(name).register_forward_hook(store_maps)

    def _receive(self, place: int, gradients: Tensor) -> None:
        self._seen[place][1] = gradients
        if all(gradients is not None for _, gradients in self._seen):
            self.target_activations, self.target_gradients = map(
                torch.cat, zip(*self._seen, strict=True)
            )

    def _calculate_localization_map(self, *args, **kwargs) -> tuple:
        self._seen.clear()
        return super()._calculate_localization_map(*args, **kwargs)
