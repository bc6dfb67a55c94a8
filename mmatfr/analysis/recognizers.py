"""Recognizers and clips as a config describes them."""

import copy
import os.path as osp
from typing import (
    Any,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmatfr.checkpoint import check_fit, open_checkpoint
from mmatfr.datasets.video_dataset import reason_of

from .layers import frames_of

__all__ = [
    'build_recognizer',
    'check_weights',
    'clip_shape',
    'first_view',
    'load_config',
    'load_recognizer',
    'load_weights',
    'num_views',
    'read_batch',
    'read_clips',
    'run_pipeline',
    'test_pipeline',
    'with_crop',
    'without_sampling',
]

_SIZED = ('CenterCrop', 'RandomCrop', 'ThreeCrop', 'TenCrop')


def load_config(config: str) -> Config:
    """Reads a config.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it cannot be read or has no model.
    """
    if not osp.isfile(config):
        raise FileNotFoundError(f'{config!r} does not exist; name another')
    try:
        cfg = Config.fromfile(config)
    except FileNotFoundError:
        raise  # a config that it builds on
    except Exception as error:  # whatever is executed raises
        reason = str(error).strip() or type(error).__name__
        raise ValueError(
            f'the config {config!r} cannot be read ({type(error).__name__}: '
            f'{reason.splitlines()[0]}); correct it, or name another'
        ) from error
    model = cfg.get('model')
    if not isinstance(model, dict) or 'backbone' not in model:
        raise ValueError(
            f'{config!r} describes no model with a backbone; name the config '
            'of a recognizer'
        )
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    return cfg


def build_recognizer(model: Dict[str, Any]) -> nn.Module:
    """Builds a recognizer, in evaluation mode, on the CPU.

    Args:
        model (dict): The model of a config.

    Returns:
        nn.Module: With the weights that its modules were made with: nothing
        is loaded.
    """
    recognizer = MODELS.build(copy.deepcopy(model))
    recognizer.eval()  # in some backbones of mmaction2 it returns None
    return recognizer


def without_sampling(model: Dict[str, Any]) -> ConfigDict:
    """Takes the layers that sample out of a model's config.

    Args:
        model (dict): The model of a config.

    Returns:
        ConfigDict: The same, its backbone and pathways with ``sgs=None`` and
        without a neck that samples.
    """
    model = ConfigDict(copy.deepcopy(model))
    backbone = model.backbone
    for part in (
        backbone,
        backbone.get('slow_pathway'),
        backbone.get('fast_pathway'),
    ):
        if part is not None and 'sgs' in part:
            part.sgs = None
    if (model.get('neck') or {}).get('type') == 'SGSNeck':
        del model['neck']
    return model


def check_weights(
    recognizer: nn.Module,
    weights: Mapping[str, Tensor],
    checkpoint: str,
    config: str,
) -> None:
    """Makes sure that weights are those of a recognizer.

    Args:
        recognizer (nn.Module): The recognizer.
        weights (Mapping[str, Tensor]): What is to be loaded.
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


def read_clips(cfg: Config, video: str) -> dict:
    """Runs the test pipeline of a config on a video.

    Args:
        cfg (Config): With ``test_dataloader``.
        video (str): Path of the video.

    Returns:
        dict: ``inputs``, all views, and ``data_samples``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decoded.
    """
    return run_pipeline(test_pipeline(cfg), video)


def run_pipeline(pipeline: Sequence[dict], video: str) -> dict:
    """Runs a pipeline of mmaction2 on a video.

    Args:
        pipeline (Sequence[dict]): Its transforms.
        video (str): Path of the video.

    Returns:
        dict: ``inputs``, all views, and ``data_samples``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decoded.
    """
    if not osp.isfile(video):
        raise FileNotFoundError(f'the video {video!r} does not exist')
    init_default_scope('mmaction')
    transforms = Compose(pipeline)
    try:
        return transforms(
            dict(filename=video, label=-1, start_index=0, modality='RGB')
        )
    except Exception as error:  # decoders raise whatever they like
        raise ValueError(
            f'cannot read the video {video!r}: {reason_of(error)}; '
            're-encode it or choose another'
        ) from error


def read_batch(recognizer: nn.Module, videos: Sequence[str]) -> Tensor:
    """Reads videos as a recognizer is tested on them.

    Args:
        recognizer (nn.Module): With the ``cfg`` that
            :func:`load_recognizer` gives it.
        videos (Sequence[str]): Paths.

    Returns:
        Tensor: All views, normalized, (N, V, ...).
    """
    data = [read_clips(recognizer.cfg, video) for video in videos]
    return recognizer.data_preprocessor(pseudo_collate(data))['inputs']


def first_view(recognizer: nn.Module, inputs: Tensor, view: int = 0) -> Tensor:
    """Picks a view of a video.

    Args:
        recognizer (nn.Module): The recognizer that the views are for.
        inputs (Tensor): What the data loader gives of a video: (V, 3, T, H,
            W), or (V T, 3, H, W) for a 2D recognizer.
        view (int): Which one. Defaults to 0.

    Returns:
        Tensor: The clip, (3, T, H, W), RGB.
    """
    frames = frames_of(recognizer)
    if frames is None:
        clip = inputs[view]
    else:
        clip = inputs[view * frames : (view + 1) * frames].transpose(0, 1)
    return clip.flip(0) if recognizer.data_preprocessor.to_rgb else clip


def test_pipeline(cfg: Config) -> List[dict]:
    """The transforms that a config reads test videos with.

    Args:
        cfg (Config): The config.

    Returns:
        list[dict]: Those of the test, or else of the validation or the
        training; empty where there is none.
    """
    for split in ('test', 'val', 'train'):
        loader = cfg.get(f'{split}_dataloader')
        if loader is not None:
            return list(loader.dataset.get('pipeline', []))
    return []


def clip_shape(
    cfg: Config, shape: Optional[List[int]] = None
) -> Tuple[int, ...]:
    """Finds the shape of the clips that a config tests on.

    Args:
        cfg (Config): The config.
        shape (list[int], optional): (T, H, W), where it is to be another.

    Returns:
        tuple[int]: (C, T, H, W).

    Raises:
        ValueError: If the test pipeline does not tell.
    """
    channels = cfg.model.backbone.get('in_channels', 3)
    if shape is not None:
        return (channels, *shape)
    num_frames, size = None, None
    for transform in test_pipeline(cfg):
        if 'clip_len' in transform:
            num_frames = transform['clip_len']
            if num_frames == 1 and cfg.model.type == 'Recognizer2D':
                num_frames = cfg.model.backbone.get(
                    'num_segments', transform.get('num_clips', 1)
                )
        if transform['type'] in _SIZED:
            size = transform.get('crop_size', transform.get('size'))
        elif transform['type'] == 'Resize' and not transform.get(
            'keep_ratio', True
        ):
            size = transform['scale'][::-1]
    if num_frames is None or size is None:
        raise ValueError(
            f'the test pipeline of {cfg.filename!r} does not tell the size of '
            'a clip; give it with --shape T H W'
        )
    height, width = (size, size) if isinstance(size, int) else size
    return channels, num_frames, height, width


def with_crop(cfg: Config, size: Tuple[int, int]) -> Config:
    """Gives the test clips of a config another size.

    Args:
        cfg (Config): With a test pipeline.
        size (tuple[int]): Height and width.

    Returns:
        Config: A copy that crops the centre of every frame at the end.
    """
    cfg = copy.deepcopy(cfg)
    for split in ('test', 'val', 'train'):
        loader = cfg.get(f'{split}_dataloader')
        if loader is not None:
            crop = ConfigDict(type='CenterCrop', crop_size=tuple(size))
            pipeline = loader.dataset.pipeline
            places = [
                place
                for place, transform in enumerate(pipeline)
                if transform['type'] == 'FormatShape'
            ]
            pipeline.insert(places[0] if places else len(pipeline), crop)
            break
    return cfg


def num_views(cfg: Config) -> int:
    """Counts the views of a video in the test pipeline of a config."""
    views = 1
    for transform in test_pipeline(cfg):
        if transform.get('clip_len', 1) > 1:
            views *= transform.get('num_clips', 1)
        views *= {'ThreeCrop': 3, 'TenCrop': 10}.get(transform['type'], 1)
    return views
