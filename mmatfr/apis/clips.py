"""Reads clips of videos with the pipeline of a config."""

import os.path as osp
from typing import Any, Iterator, List, Optional, Sequence

import numpy as np
from mmaction.datasets.transforms import SampleFrames
from mmaction.models.recognizers import BaseRecognizer
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor

from mmatfr.atomic_write import WriteError
from mmatfr.datasets.video_dataset import reason_of
from mmatfr.models.segments import frames_of

from .config import test_pipeline, type_name

__all__ = [
    'first_view',
    'frame_times',
    'frames_of',
    'iter_clips',
    'read_batch',
    'read_clips',
    'run_pipeline',
]

_TIMES = ('frame_inds', 'avg_fps')


def read_clips(cfg: Config, video: str) -> dict:
    """Runs the test pipeline of a config on a video.

    Args:
        cfg (Config): With ``test_dataloader``.
        video (str): Path of the video.

    Returns:
        dict: ``inputs``, all views, and ``data_samples``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decoded, or the pipeline is not for video
            files.
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
        ValueError: If it cannot be decoded, or the pipeline is not for video
            files.
    """
    return _transform(_keep_times(pipeline), _describe(video), video)


def _describe(video: str) -> dict:
    if not osp.isfile(video):
        raise FileNotFoundError(f'the video {video!r} does not exist')
    return dict(filename=video, label=-1, start_index=0, modality='RGB')


def _transform(pipeline: Sequence[dict], results: dict, video: str) -> dict:
    init_default_scope('mmaction')
    transforms = Compose(pipeline)
    try:
        return transforms(results)
    except WriteError:  # not a fault of the video
        raise
    except Exception as error:  # decoders raise errors of any kind
        if isinstance(error, KeyError) and error.args == ('total_frames',):
            raise _no_reader(video) from error
        raise ValueError(
            f'cannot read the video {video!r}: {reason_of(error)}; '
            're-encode it or use another'
        ) from error


def _no_reader(video: str) -> ValueError:
    return ValueError(
        f'the pipeline cannot read the video {video!r}, because no step opens '
        'video files; use a config with DecordInit and DecordDecode'
    )


def iter_clips(cfg: Config, video: str) -> Iterator[dict]:
    """Cuts a whole video into consecutive clips.

    The clips have the length, the time scale and the transforms of the test
    pipeline, with one crop. The last one ends with the video. If a test clip
    is spread over the whole video (``clip_len=1``, or a sampler other than
    ``SampleFrames``), the function yields the views of the test pipeline
    instead.

    Args:
        cfg (Config): With ``test_dataloader``.
        video (str): Path of the video.

    Yields:
        dict: ``inputs`` and ``data_samples`` of a clip.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decoded, or the pipeline is not for video
            files.
    """
    pipeline = _keep_times(test_pipeline(cfg))
    kinds = [type_name(step) for step in pipeline]
    place = kinds.index('SampleFrames') if 'SampleFrames' in kinds else None
    if place is None or pipeline[place]['clip_len'] == 1:
        yield run_pipeline(pipeline, video)
        return
    sampler = dict(pipeline[place], type=_SampleAt, num_clips=1)
    before, after = pipeline[:place], pipeline[place + 1 :]
    after = [
        dict(step, type='CenterCrop')
        if type_name(step) in ('ThreeCrop', 'TenCrop')
        else step
        for step in after
    ]
    opened = _transform(before, _describe(video), video)
    if 'total_frames' not in opened:
        raise _no_reader(video)
    total, span = opened['total_frames'], _span(sampler, opened)
    last = max(int(total - span), 0)
    starts = [*map(int, np.arange(0, last, span)), last]
    for start in dict.fromkeys(starts):
        # The steps before it run again, because decoders read on.
        clip = [*before, dict(sampler, start=start), *after]
        yield _transform(clip, _describe(video), video)


class _SampleAt(SampleFrames):
    """Samples one clip at a given frame.

    Args:
        start (int): The frame.
        **kwargs: As for ``SampleFrames``.
    """

    def __init__(self, start: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start

    def _sample_clips(
        self, num_frames: int, ori_clip_len: float
    ) -> np.ndarray:
        return np.array([self.start])


def _span(sampler: dict, opened: dict) -> float:
    """Returns the number of frames of a video from a clip to the next."""
    span = sampler['clip_len'] * sampler.get('frame_interval', 1)
    rate, target = opened.get('avg_fps'), sampler.get('target_fps')
    return max(span * rate / target, 1) if rate and target else span


def _keep_times(pipeline: Sequence[dict]) -> List[dict]:
    """Makes a pipeline return the indices of the frames."""
    return [
        {
            **step,
            'meta_keys': (*step.get('meta_keys', ()), *_TIMES),
        }
        if type_name(step) == 'PackActionInputs'
        else step
        for step in pipeline
    ]


def frame_times(
    sample: ActionDataSample, num_frames: int
) -> Optional[np.ndarray]:
    """Returns the times of the frames in the clips of a video.

    All crops of a clip have its times: view v is a crop of clip v % M.

    Args:
        sample (ActionDataSample): The ``data_samples`` of
            :func:`read_clips`.
        num_frames (int): Number of frames of a clip, T.

    Returns:
        np.ndarray | None: Times in seconds of the M clips, (M, T). None if the
        decoder does not report the frame rate.
    """
    indices, rate = (sample.get(key) for key in _TIMES)
    if indices is None or not rate:
        return None
    return np.reshape(indices, (-1, num_frames)) / rate


def read_batch(recognizer: BaseRecognizer, videos: Sequence[str]) -> Tensor:
    """Reads videos with the test pipeline of a recognizer.

    Args:
        recognizer (BaseRecognizer): A recognizer with ``cfg``, as from
            :func:`load_recognizer`.
        videos (Sequence[str]): Paths of the videos.

    Returns:
        Tensor: All views, normalized, (N, V, ...).
    """
    data = [read_clips(recognizer.cfg, video) for video in videos]
    return recognizer.data_preprocessor(pseudo_collate(data))['inputs']


def first_view(
    recognizer: BaseRecognizer, inputs: Tensor, view: int = 0
) -> Tensor:
    """Picks a view of a video.

    Args:
        recognizer (BaseRecognizer): The recognizer for which the views are.
        inputs (Tensor): Inputs of a video from the data loader, (V, 3, T, H,
            W), or (V T, 3, H, W) for a 2D recognizer.
        view (int): Index of the view. Defaults to 0.

    Returns:
        Tensor: The clip, (3, T, H, W), RGB.
    """
    frames = frames_of(recognizer)
    if frames is None:
        clip = inputs[view]
    else:
        clip = inputs[view * frames : (view + 1) * frames].transpose(0, 1)
    return clip.flip(0) if recognizer.data_preprocessor.to_rgb else clip
