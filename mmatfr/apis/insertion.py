"""Sampling put into a trained recognizer, without training."""

from typing import Iterable

import torch
from torch import nn

from mmatfr.sgs import sgs_layers

__all__ = ['see_clips']


def see_clips(recognizer: nn.Module, batches: Iterable[dict]) -> None:
    """Lets the layers of a recognizer see how much happens in clips.

    Only what ``bin_range='data'`` keeps is changed, the running mean of the
    clips' largest magnitudes; no weight and no other statistic is.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2, with the weights of
            the network without sampling.
        batches (Iterable[dict]): What the data loader gives.
    """
    was_training = recognizer.training
    recognizer.eval()
    layers = sgs_layers(recognizer).values()
    for layer in layers:
        if layer.bin_range == 'data':
            layer.train()
            if hasattr(layer, 'bn'):
                layer.bn.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                recognizer.test_step(batch)
    finally:
        recognizer.train(was_training)
