"""A deployed recognizer: videos in, classes out."""

import os
from ast import literal_eval
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from scipy.special import softmax

from .engines import Engine, make_engine
from .info import ModelInfo

__all__ = ['DeployedModel', 'Prediction', 'load_model']

NumBins = Union[int, Sequence[int], None]
Frames = Union[np.ndarray, Sequence[np.ndarray]]


@dataclass(frozen=True)
class Prediction:
    """Result of a deployed recognizer for a video of V views.

    Attributes:
        scores (ndarray): Class scores, (K,), averaged over the views like
            ``pred_score`` of mmaction2.
        label (int): The class with the largest score.
        class_name (str): Its name.
        lengths (ndarray | dict[str, ndarray]): Temporal resolution B' of each
            view, (V,); by pathway if there are several. None without sampling.
        groups (ndarray | dict[str, ndarray]): Group of each frame of each
            view, (V, T); by pathway if there are several. None without
            sampling.
    """

    scores: np.ndarray
    label: int
    class_name: str
    lengths: Union[None, np.ndarray, Dict[str, np.ndarray]]
    groups: Union[None, np.ndarray, Dict[str, np.ndarray]]

    def by_pathway(self) -> Dict[str, Tuple[np.ndarray, np.ndarray]]:
        """Returns lengths and groups by pathway; '' where there is one."""
        if self.lengths is None or self.groups is None:
            return {}
        if isinstance(self.lengths, dict) and isinstance(self.groups, dict):
            return {
                pathway: (lengths, self.groups[pathway])
                for pathway, lengths in self.lengths.items()
            }
        return {'': (np.asarray(self.lengths), np.asarray(self.groups))}


def load_model(
    path: str,
    engine: str = 'onnxruntime',
    precision: Optional[str] = None,
    num_threads: Optional[int] = None,
    num_bins: NumBins = None,
    fixed_size: bool = True,
    options: Optional[Mapping[str, Any]] = None,
) -> 'DeployedModel':
    """Loads a deployed recognizer.

    Args:
        path (str): A file written by ``tools/deployment/export_model.py``.
        engine (str): 'onnxruntime' or 'openvino'. Defaults to 'onnxruntime'.
        precision (str, optional): 'f32', and for OpenVINO 'bf16' or 'f16' if
            the processor supports it. Defaults to None, 'f32'.
        num_threads (int, optional): Number of threads per call. Defaults to
            None, all cores.
        num_bins (int | Sequence[int], optional): Number of bins B of each
            sampling pathway: the budget. Defaults to None, that of the config.
        fixed_size (bool): Whether all frames have the crop size of the test
            pipeline, which makes OpenVINO faster. False allows any size.
            Defaults to True.
        options (Mapping[str, Any], optional): Settings of the engine:
            ``providers`` of ONNX Runtime, properties of OpenVINO.

    Returns:
        DeployedModel: A model that is called with videos or frames.

    Raises:
        ValueError: If an option or the file is invalid.
        ImportError: If the engine is not installed.
        FileNotFoundError: If there is no such file.

    Examples:
        >>> from mmatfr.deploy import load_model
        >>> model = load_model('x3d_s.onnx')  # doctest: +SKIP
        >>> model('video.mp4').class_name  # doctest: +SKIP
        'playing guitar'
    """
    runner = make_engine(
        engine,
        path,
        precision=precision,
        num_threads=num_threads,
        fixed_size=fixed_size,
        options=options,
    )
    info = ModelInfo.loads(runner.metadata, path)
    return DeployedModel(runner, info, path, num_bins)


class DeployedModel:
    """A file in an engine; safe to call from several threads.

    Args:
        engine (Engine): The engine, with the file in it.
        info (ModelInfo): Metadata of the file.
        path (str): The file, for errors.
        num_bins (int | Sequence[int], optional): Number of bins B of each
            sampling pathway. Defaults to None, that of the config.

    Attributes:
        info (ModelInfo): Metadata of the file.
        num_bins (tuple[int]): Number of bins of each pathway.
    """

    def __init__(
        self,
        engine: Engine,
        info: ModelInfo,
        path: str,
        num_bins: NumBins = None,
    ) -> None:
        self.engine = engine
        self.info = info
        self.path = path
        self.num_bins = self._as_num_bins(num_bins, info.num_bins)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}({self.path!r}, '
            f'engine={self.engine.name!r}, num_bins={list(self.num_bins)})'
        )

    def __call__(
        self, video: Union[str, Frames], num_bins: NumBins = None
    ) -> Prediction:
        """Recognizes a video.

        Args:
            video (str | ndarray): Path of a video, to be read by the test
                pipeline of the config with all views; or decoded frames,
                uint8, (T, H, W, 3) for one view or (V, T, H, W, 3).
            num_bins (int | Sequence[int], optional): Number of bins for this
                video. Defaults to None, that of the model.

        Returns:
            Prediction: Scores, class, B' and groups.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If the video cannot be read, or the frames have a wrong
                shape or type.
        """
        if isinstance(video, (str, os.PathLike)):
            views = self.read_views(os.fspath(video))
        else:
            views = self._check_frames(video)
        return self.average([self.run_view(view, num_bins) for view in views])

    def run_view(
        self, frames: np.ndarray, num_bins: NumBins = None
    ) -> List[np.ndarray]:
        """Runs the network on one view.

        Args:
            frames (ndarray): The clip, (T, H, W, 3), uint8.
            num_bins (int | Sequence[int], optional): Number of bins. Defaults
                to None, that of the model.

        Returns:
            list[ndarray]: The outputs in the order of
            :attr:`ModelInfo.outputs`.
        """
        inputs = self.as_inputs(frames, num_bins)
        return self.engine.run(list(self.info.outputs), inputs)

    def as_inputs(
        self, frames: np.ndarray, num_bins: NumBins = None
    ) -> Dict[str, np.ndarray]:
        """Returns the inputs of the network for one view.

        Args:
            frames (ndarray): The clip, (T, H, W, 3), uint8.
            num_bins (int | Sequence[int], optional): Number of bins. Defaults
                to None, that of the model.

        Returns:
            dict[str, ndarray]: The inputs by the names of
            :attr:`ModelInfo.inputs`.
        """
        inputs = dict(frames=np.ascontiguousarray(frames))
        numbers = self._as_num_bins(num_bins, self.num_bins)
        if numbers:
            inputs['num_bins'] = np.array(numbers, dtype=np.int64)
        return inputs

    def average(self, views: Sequence[Sequence[np.ndarray]]) -> Prediction:
        """Averages the views of a video, as mmaction2 does.

        Args:
            views (Sequence[list[ndarray]]): The result of :meth:`run_view` for
                each view.

        Returns:
            Prediction: The result for the video.
        """
        scores, *others = map(np.stack, zip(*views, strict=True))
        scores = scores[:, 0]
        if self.info.average_clips == 'prob':
            scores = softmax(scores, axis=1)
        scores = scores.mean(axis=0)
        label = int(scores.argmax())
        lengths = groups = None
        if others:
            by_pathway = dict(
                zip(self.info.pathways, others[0].T, strict=True)
            )
            lengths = by_pathway.get('', by_pathway)
            by_pathway = dict(zip(self.info.pathways, others[1:], strict=True))
            groups = by_pathway.get('', by_pathway)
        return Prediction(
            scores, label, self.class_name(label), lengths, groups
        )

    def class_name(self, label: int) -> str:
        """Returns the name of a class, 'class 4' where there is none."""
        classes = self.info.classes or ()
        return classes[label] if label < len(classes) else f'class {label}'

    def read_views(self, video: str) -> np.ndarray:
        """Reads the views of a video with the test pipeline.

        Args:
            video (str): Path of a video.

        Returns:
            ndarray: (V, T, H, W, 3), uint8.
        """
        # Only the pipeline needs mmaction2.
        from mmatfr.apis import run_pipeline

        return self.split_views(
            run_pipeline(literal_eval(self.info.pipeline), video)[
                'inputs'
            ].numpy()
        )

    def split_views(self, inputs: np.ndarray) -> np.ndarray:
        """Converts the packed result of a test pipeline to views.

        Args:
            inputs (ndarray): (V, 3, T, H, W), or (V T, 3, H, W) for a 2D
                recognizer.

        Returns:
            ndarray: (V, T, H, W, 3).
        """
        if inputs.ndim == 5:
            return self._check_frames(inputs.transpose(0, 2, 3, 4, 1))
        frames = inputs.reshape(
            -1, self.info.num_frames, *inputs.shape[1:]
        ).transpose(0, 1, 3, 4, 2)
        return self._check_frames(frames)

    def _check_frames(self, frames: Frames) -> np.ndarray:
        frames = np.asarray(frames)
        views = frames[None] if frames.ndim == 4 else frames
        num_frames = self.info.num_frames
        if views.ndim != 5 or views.shape[-1] != 3 or not len(views):
            raise ValueError(
                f'expected frames of shape (T, H, W, 3) or (V, T, H, W, 3), '
                f'but got {frames.shape}'
            )
        if views.dtype != np.uint8:
            raise ValueError(
                f'expected frames of uint8, 0 to 255, but got {views.dtype}; '
                'the network normalizes them'
            )
        if views.shape[1] != num_frames:
            interval = self.info.frame_interval
            how = (
                f'{interval} frames of the video apart'
                if interval
                else 'spread over the video'
            )
            raise ValueError(
                f'{self.path!r} takes clips of {num_frames} frames, {how}, '
                f'but got {views.shape[1]}; sample as many, or give the video'
            )
        size = self.engine.size
        if size is not None and views.shape[2:4] != tuple(size):
            raise ValueError(
                f'{self.path!r} was loaded for frames of '
                f'{size[0]}x{size[1]}, but got '
                f'{views.shape[2]}x{views.shape[3]}; resize and crop them, or '
                'load it with fixed_size=False'
            )
        return views

    def _as_num_bins(
        self, num_bins: NumBins, default: Sequence[int]
    ) -> Tuple[int, ...]:
        pathways = self.info.pathways
        if num_bins is None:
            return tuple(default)
        if not pathways:
            raise ValueError(
                f'num_bins={num_bins!r} has no effect, because {self.path!r} '
                'does not sample; leave it out, or export a config with sgs'
            )
        numbers: Tuple[Any, ...] = (
            tuple(num_bins)
            if isinstance(num_bins, (Sequence, np.ndarray))
            else (num_bins,) * len(pathways)
        )
        if len(numbers) != len(pathways) or not all(
            isinstance(number, (int, np.integer))
            and not isinstance(number, bool)
            and number >= 1
            for number in numbers
        ):
            each = f', or {len(pathways)}, one for each of {pathways}'
            raise ValueError(
                f'num_bins={num_bins!r} of {self.path!r} must be a positive '
                f'integer{each if len(pathways) > 1 else ""}'
            )
        return tuple(int(number) for number in numbers)
