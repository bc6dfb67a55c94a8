"""Metadata of a deployed file."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

__all__ = ['KEY', 'ModelInfo']

# Key in the metadata of an ONNX file.
KEY = 'mmatfr'


@dataclass(frozen=True)
class ModelInfo:
    """The metadata of a deployed file, written as JSON.

    Attributes:
        version (str): Version of mmatfr that wrote it.
        config (str): Name of the config.
        checkpoint (str, optional): Name of the checkpoint; None for untrained
            weights.
        num_classes (int): Number of classes K.
        classes (list[str], optional): Their names.
        num_frames (int): Number of frames T of a clip.
        frame_interval (int, optional): Distance between its frames in the
            video; None if they are spread over the whole video.
        crop (list[int]): Height and width of the frames in testing.
        pathways (list[str]): The sampling pathways, '' for a backbone with one
            pathway; empty without sampling.
        num_bins (list[int]): Number of bins B of each pathway.
        average_clips (str, optional): Averaging of the views of a video, as in
            mmaction2: 'prob', 'score' or None.
        pipeline (str): The test pipeline of the config, as a Python literal,
            because JSON has no tuples.
        verified (dict): By engine, the number of clips on which the file was
            compared with PyTorch, their B', and the largest difference.
        quantized (dict, optional): Quantizer, number of bits and of
            calibration videos, and by engine the accuracy before and after.
            Defaults to None: not quantized.
    """

    version: str
    config: str
    checkpoint: Optional[str]
    num_classes: int
    classes: Optional[Sequence[str]]
    num_frames: int
    frame_interval: Optional[int]
    crop: Sequence[int]
    pathways: Sequence[str]
    num_bins: Sequence[int]
    average_clips: Optional[str]
    pipeline: str
    verified: Dict[str, Dict[str, Any]]
    quantized: Optional[Dict[str, Any]] = None

    @property
    def group_outputs(self) -> Tuple[str, ...]:
        """tuple[str]: Names of the outputs with the groups."""
        return tuple(
            f'groups.{name}' if name else 'groups' for name in self.pathways
        )

    @property
    def inputs(self) -> Tuple[str, ...]:
        """tuple[str]: Names of the inputs of the file."""
        return ('frames', 'num_bins') if self.pathways else ('frames',)

    @property
    def outputs(self) -> Tuple[str, ...]:
        """tuple[str]: Names of the outputs of the file."""
        if not self.pathways:
            return ('scores',)
        return ('scores', 'lengths', *self.group_outputs)

    def dumps(self) -> str:
        """Returns the metadata as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, metadata: Mapping[str, str], path: str) -> 'ModelInfo':
        """Reads the entry of mmatfr from the metadata of a file.

        Args:
            metadata (Mapping[str, str]): All metadata of the file.
            path (str): The file, for the message.

        Raises:
            ValueError: If the file was not exported by mmatfr.
        """
        if KEY not in metadata:
            raise ValueError(
                f'{path!r} was not exported by mmatfr; use a file from '
                'tools/deployment/export_model.py'
            )
        try:
            return cls(**json.loads(metadata[KEY]))
        except TypeError as error:
            raise ValueError(
                f'{path!r} was exported by another version of mmatfr '
                f'({error}); export it again'
            ) from error
