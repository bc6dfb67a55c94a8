"""Builds recognizers from configs and loads matching weights."""

import copy
import os.path as osp
from typing import Any, Dict, Mapping, Union

from mmaction.models.recognizers import BaseRecognizer
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from torch import Tensor

from mmatfr.checkpoint import check_fit, open_checkpoint

from .config import load_config

__all__ = [
    'average_views',
    'build_recognizer',
    'check_weights',
    'load_recognizer',
    'load_weights',
    'unwrap',
]


def build_recognizer(model: Dict[str, Any]) -> BaseRecognizer:
    """Builds a recognizer, in evaluation mode, on the CPU.

    Args:
        model (dict): The model of a config.

    Returns:
        BaseRecognizer: The recognizer with its initial weights; nothing is
        loaded.
    """
    return MODELS.build(copy.deepcopy(model)).eval()


def check_weights(
    recognizer: BaseRecognizer,
    weights: Mapping[str, Tensor],
    checkpoint: str,
    config: str,
) -> None:
    """Checks that weights match a recognizer.

    Args:
        recognizer (BaseRecognizer): The recognizer.
        weights (Mapping[str, Tensor]): The state dict to load.
        checkpoint (str): Origin of the weights, for the message.
        config (str): Origin of the recognizer, for the message.

    Raises:
        ValueError: If they do not match.
    """
    check_fit(recognizer.state_dict(), weights, checkpoint, config)


def load_recognizer(
    config: Union[str, Config],
    checkpoint: str,
    device: str = 'cpu',
    remedy: str = 'check the path',
) -> BaseRecognizer:
    """Builds a recognizer and loads exactly matching weights.

    Args:
        config (str | Config): The config, or its path.
        checkpoint (str): Path or URL of the checkpoint.
        device (str): Device of the recognizer. Defaults to 'cpu'.
        remedy (str): Remedy in the message if the file does not exist.

    Returns:
        BaseRecognizer: The recognizer in evaluation mode, with ``cfg`` and
        ``classes``.

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
    recognizer: BaseRecognizer,
    cfg: Config,
    checkpoint: str,
    remedy: str = 'check the path',
) -> Dict[str, Any]:
    """Loads weights that match a recognizer exactly.

    Args:
        recognizer (BaseRecognizer): The recognizer.
        cfg (Config): The config of the recognizer.
        checkpoint (str): Path or URL of the checkpoint.
        remedy (str): Remedy in the message if the file does not exist.

    Returns:
        dict: Metadata of the checkpoint: ``classes``, if present.

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


def average_views(scores: Tensor) -> Tensor:
    """Averages the scores of the views of a video.

    A head without ``average_clips``, the default of mmaction2, returns them
    view by view.

    Args:
        scores (Tensor): ``pred_score`` of a video, (K,) or (V, K).

    Returns:
        Tensor: (K,).
    """
    return scores.reshape(-1, scores.shape[-1]).mean(0)


def unwrap(model: Any) -> BaseRecognizer:
    """Returns the recognizer of a runner, without a distributed wrapper."""
    return model.module if is_model_wrapper(model) else model
