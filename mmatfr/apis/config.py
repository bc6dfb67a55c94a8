"""Configs of recognizers: their model, clips and test pipeline."""

import copy
import os.path as osp
from numbers import Integral
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

__all__ = [
    'check_size',
    'clip_shape',
    'load_config',
    'merge_options',
    'num_views',
    'test_pipeline',
    'type_name',
    'with_crop',
    'without_sampling',
]

_SIZED = ('CenterCrop', 'RandomCrop', 'ThreeCrop', 'TenCrop')


def load_config(
    config: str, options: Optional[Mapping[str, Any]] = None
) -> Config:
    """Reads a config.

    Args:
        config (str): Its path.
        options (Mapping[str, Any], optional): Settings to override, by dotted
            name. Defaults to None.

    Returns:
        Config: The config.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it cannot be read or has no model.
    """
    if not osp.isfile(config):
        raise FileNotFoundError(f'{config!r} does not exist; check the path')
    try:
        cfg = Config.fromfile(config)
    except FileNotFoundError:
        raise  # one of its base configs
    except (
        Exception
    ) as error:  # the code of a config raises errors of any kind
        reason = str(error).strip() or type(error).__name__
        raise ValueError(
            f'the config {config!r} cannot be read ({type(error).__name__}: '
            f'{reason.splitlines()[0]}); correct it or use another'
        ) from error
    _check_model(cfg)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    if options:
        merge_options(cfg, options)
    return cfg


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Overrides settings of a config.

    Args:
        cfg (Config): The config; changed in place.
        options (Mapping[str, Any]): Values by dotted name.

    Raises:
        ValueError: If the result has no model with a backbone.
    """
    cfg.merge_from_dict(dict(options))
    _check_model(cfg)


def _check_model(cfg: Config) -> None:
    model = cfg.get('model')
    backbone = model.get('backbone') if isinstance(model, dict) else None
    if not isinstance(backbone, dict):
        raise ValueError(
            f'{cfg.filename!r} has no model with a backbone; use the config '
            'of a recognizer'
        )


def without_sampling(model: Dict[str, Any]) -> ConfigDict:
    """Removes the sampling layers from the config of a model.

    Args:
        model (dict): The ``model`` of a config.

    Returns:
        ConfigDict: A copy with ``sgs=None`` in the backbone and its pathways,
        and without a sampling neck.
    """
    plain = ConfigDict(copy.deepcopy(model))
    backbone = plain.backbone
    for part in (
        backbone,
        backbone.get('slow_pathway'),
        backbone.get('fast_pathway'),
    ):
        if part is not None and 'sgs' in part:
            part.sgs = None
    if type_name(plain.get('neck') or {}) == 'SGSNeck':
        del plain['neck']
    return plain


def type_name(part: Mapping[str, Any]) -> str:
    """Returns the name of the type of a part of a config.

    Args:
        part (dict): The part. Its ``type`` is a name, with or without a scope
            or module, or a class, as in pure Python configs.

    Returns:
        str: The name of the class; empty without a type.
    """
    kind = part.get('type') or ''
    name = kind if isinstance(kind, str) else kind.__name__
    return name.rpartition('.')[2]


def test_pipeline(cfg: Config) -> List[dict]:
    """Returns the transforms of the test pipeline of a config.

    Args:
        cfg (Config): The config.

    Returns:
        list[dict]: Transforms of the test pipeline, or else of the validation
        or training pipeline; empty if there is none.
    """
    for split in ('test', 'val', 'train'):
        loader = cfg.get(f'{split}_dataloader')
        if loader is not None:
            return list(loader.dataset.get('pipeline', []))
    return []


def check_size(option: str, size: Any) -> Tuple[int, ...]:
    """Checks the size of a clip.

    Args:
        option (str): Its name, for the message.
        size (Any): The size.

    Returns:
        tuple[int]: (T, H, W).

    Raises:
        ValueError: If it is not three positive integers.
    """
    sizes = tuple(size) if isinstance(size, Iterable) else ()
    if len(sizes) != 3 or not all(
        not isinstance(number, bool)
        and isinstance(number, Integral)
        and int(number) >= 1
        for number in sizes
    ):
        raise ValueError(
            f'{option}={size!r} must be three positive integers, the number '
            'of frames, the height and the width (T, H, W)'
        )
    return tuple(map(int, sizes))


def clip_shape(
    cfg: Config, shape: Optional[Sequence[int]] = None
) -> Tuple[int, ...]:
    """Finds the shape of the test clips of a config.

    Args:
        cfg (Config): The config.
        shape (Sequence[int], optional): (T, H, W), overrides the config.

    Returns:
        tuple[int]: (C, T, H, W).

    Raises:
        ValueError: If ``shape`` is not three positive integers, or the test
            pipeline does not define it.
    """
    channels = cfg.model.backbone.get('in_channels', 3)
    if shape is not None:
        return (channels, *check_size('shape', shape))
    num_frames, size = None, None
    for transform in test_pipeline(cfg):
        if 'clip_len' in transform:
            num_frames = transform['clip_len']
            if num_frames == 1 and type_name(cfg.model) == 'Recognizer2D':
                num_frames = cfg.model.backbone.get(
                    'num_segments', transform.get('num_clips', 1)
                )
        if type_name(transform) in _SIZED:
            size = transform.get('crop_size', transform.get('size'))
        elif type_name(transform) == 'Resize' and not transform.get(
            'keep_ratio', True
        ):
            size = transform['scale']
    if num_frames is None or size is None:
        missing, step = (
            ('number of frames of a clip', 'SampleFrames')
            if num_frames is None
            else ('size of frames', 'CenterCrop, or Resize with a fixed size,')
        )
        raise ValueError(
            f'the test pipeline of {cfg.filename or "the config"!r} does not '
            f'define the {missing}; add {step} to it, or where there is '
            '--shape or clip_shape, give T, H and W'
        )
    # Both are widths and heights for mmaction2.
    width, height = (size, size) if isinstance(size, int) else size
    return channels, num_frames, height, width


def with_crop(cfg: Config, size: Sequence[int]) -> Config:
    """Changes the size of the test clips of a config.

    Args:
        cfg (Config): A config with a test pipeline.
        size (Sequence[int]): Height and width.

    Returns:
        Config: A copy that finally crops the centre of every frame.
    """
    cfg = copy.deepcopy(cfg)
    for split in ('test', 'val', 'train'):
        loader = cfg.get(f'{split}_dataloader')
        if loader is not None:
            height, width = size
            crop = ConfigDict(type='CenterCrop', crop_size=(width, height))
            pipeline = loader.dataset.pipeline
            places = [
                place
                for place, transform in enumerate(pipeline)
                if type_name(transform) == 'FormatShape'
            ]
            pipeline.insert(places[0] if places else len(pipeline), crop)
            break
    return cfg


def num_views(cfg: Config) -> int:
    """Counts the views of a video in the test pipeline of a config.

    Args:
        cfg (Config): The config.

    Returns:
        int: The number of clips of a video, times that of their crops.
    """
    views = 1
    for transform in test_pipeline(cfg):
        # With clips of one frame, they are the segments of one clip.
        if transform.get('clip_len', 1) > 1:
            views *= transform.get('num_clips', 1)
        if transform.get('test_mode'):
            views *= _repeats(transform)
        views *= {'ThreeCrop': 3, 'TenCrop': 10}.get(type_name(transform), 1)
    return views


def _repeats(sampler: Mapping[str, Any]) -> int:
    """Counts how often a sampler of frames samples a video in a test."""
    if type_name(sampler) == 'DenseSampleFrames':
        return sampler.get('num_sample_positions', 10)
    return 2 if sampler.get('twice_sample') else 1
