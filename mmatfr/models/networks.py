"""Recognizers of mmaction2, and networks that contain their head."""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor, nn

__all__ = ['backbone_of', 'evaluating', 'replace_backbone', 'scorer']


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


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Sets a model to evaluation, and each module back to its mode after it.

    Args:
        model (nn.Module): A recognizer or any other module, of which parts may
            be in evaluation, such as frozen stages.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def scorer(model: nn.Module, batch: Any) -> Callable[[], List[Tensor]]:
    """Prepares a batch of clips for a model.

    Args:
        model (nn.Module): A recognizer, or a network with a head.
        batch (Any): For a recognizer, a batch of the data loader of mmaction2.
            For a network, clips, (N, C, T, H, W), or a sequence that starts
            with them, as from a data loader of clips and labels.

    Returns:
        Callable: Returns the class scores of the clips, before softmax, for
        each task of a head with ``score_tasks``, as
        :class:`mmatfr.models.TemporalAttentionHead` has; otherwise those of
        the head.
    """
    if isinstance(model, BaseRecognizer):
        data = model.data_preprocessor(batch, False)
        score_tasks = getattr(
            getattr(model, 'cls_head', None), 'score_tasks', None
        )
        if score_tasks is not None:
            return lambda: [
                *score_tasks(
                    model(**data, mode='tensor', stage='neck')
                ).values()
            ]
        return lambda: [model(**data, mode='tensor', stage='head')]
    clips = batch[0] if isinstance(batch, (list, tuple)) else batch
    clips = clips.to(next(model.parameters()).device)
    return lambda: [model(clips)]
