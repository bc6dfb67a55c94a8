"""Recognizers of mmaction2, and networks that contain their head."""

from typing import Any, Callable, List

from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor, nn

from .heads import TemporalAttentionHead

__all__ = ['backbone_of', 'replace_backbone', 'scorer']


def backbone_of(model: nn.Module) -> nn.Module:
    """Returns the backbone of a recognizer, or a network with a head itself.

    Args:
        model (nn.Module): A recognizer, or a network with a head.

    Returns:
        nn.Module: The module that can sample.
    """
    return getattr(model, 'backbone', model)


def replace_backbone(model: nn.Module, backbone: nn.Module) -> None:
    """Replaces what :func:`backbone_of` returns.

    A network with a head remains the same object, and takes over the class and
    the state of the other.

    Args:
        model (nn.Module): A recognizer, or a network with a head.
        backbone (nn.Module): The new backbone or network.
    """
    if backbone_of(model) is not model:
        model.backbone = backbone
    else:
        model.__class__ = backbone.__class__
        model.__dict__ = backbone.__dict__


def scorer(model: nn.Module, batch: Any) -> Callable[[], List[Tensor]]:
    """Prepares a batch of clips for a model.

    Args:
        model (nn.Module): A recognizer, or a network with a head.
        batch (Any): For a recognizer, a batch of the data loader of mmaction2.
            For a network, clips, (N, C, T, H, W), or a sequence that starts
            with them, as from a data loader of clips and labels.

    Returns:
        Callable: Returns the class scores of the clips, before softmax, for
        each task of the head.
    """
    if isinstance(model, BaseRecognizer):
        data = model.data_preprocessor(batch, False)
        head = getattr(model, 'cls_head', None)
        if isinstance(head, TemporalAttentionHead):
            return lambda: [
                *head.score_tasks(
                    model(**data, mode='tensor', stage='neck')
                ).values()
            ]
        return lambda: [model(**data, mode='tensor', stage='head')]
    clips = batch[0] if isinstance(batch, (list, tuple)) else batch
    clips = clips.to(next(model.parameters()).device)
    return lambda: [model(clips)]
