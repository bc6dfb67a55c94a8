"""Recognizers built from configs, with weights that fit."""

import copy
import os.path as osp
from typing import Any, Dict, Mapping, Union

from mmaction.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn

from mmatfr.checkpoint import check_fit, open_checkpoint

from .config import load_config

__all__ = [
    'build_recognizer',
    'check_weights',
    'load_recognizer',
    'load_weights',
]


def build_recognizer(model: Dict[str, Any]) -> nn.Module:
    """Builds a recognizer, in evaluation mode, on the CPU.

    Args:
        model (dict): The model of a config.

    Returns:
        nn.Module: With the weights that its modules were made with: nothing
        is loaded.
    """
    return MODELS.build(copy.deepcopy(model)).eval()


def check_weights(
    recognizer: nn.Module,
    weights: Mapping[str, Tensor],
    checkpoint: str,
    config: str,
) -> None:
    """Makes sure that weights are those of a recognizer.

    Args:
        recognizer (nn.Module): The recognizer.
        weights (Mapping[str, Tensor]): The state dict to load.
        checkpoint (str): Where the weights are from.
        config (str): Where the recognizer is from.

    Raises:
        ValueError: If they do not fit.
    """
    check_fit(recognizer.state_dict(), weights, checkpoint, config)


def load_recognizer(
    config: Union[str, Config],
    checkpoint: str,
    device: str = 'cpu',
    remedy: str = 'name another',
) -> nn.Module:
    """Builds a recognizer and loads weights that fit it exactly.

    Args:
        config (str | Config): The config, or its path.
        checkpoint (str): Path or URL of the checkpoint.
        device (str): Where to. Defaults to 'cpu'.
        remedy (str): What to do where there is no such checkpoint.

    Returns:
        nn.Module: In evaluation mode, with ``cfg`` and ``classes``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the weights are not those of the model.
    """
    cfg = load_config(config) if isinstance(config, str) else config
    recognizer = build_recognizer(cfg.model)
    meta = load_weights(recognizer, cfg, checkpoint, remedy)
    recognizer.cfg = cfg
    recognizer.classes = meta.get('classes')
    return recognizer.to(device).eval()


def load_weights(
    recognizer: nn.Module,
    cfg: Config,
    checkpoint: str,
    remedy: str = 'name another',
) -> Dict[str, Any]:
    """Loads weights that fit a recognizer exactly.

    Args:
        recognizer (nn.Module): The recognizer.
        cfg (Config): The config that it was built from.
        checkpoint (str): Path or URL of the checkpoint.
        remedy (str): What to do where there is no such checkpoint.

    Returns:
        dict: What the checkpoint says of itself: ``classes``, if it does.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the weights are not those of the model.
    """
    if '://' not in checkpoint and not osp.isfile(checkpoint):
        raise FileNotFoundError(f'{checkpoint!r} does not exist; {remedy}')
    weights, meta = open_checkpoint(checkpoint)
    check_weights(recognizer, weights, checkpoint, cfg.filename)
    recognizer.load_state_dict(weights)
    return meta
