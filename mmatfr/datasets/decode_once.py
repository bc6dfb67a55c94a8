"""Decodes each video once."""

import hashlib
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from mmaction.datasets.transforms import DecordInit
from mmaction.registry import TRANSFORMS
from mmengine.config import Config

from mmatfr.atomic_write import atomic_path

__all__ = ['DecodeOnce', 'decode_every_time', 'decode_once']


@TRANSFORMS.register_module()
class DecodeOnce(DecordInit):
    """Decodes a video when it is first read, and keeps its frames in a file.

    Put it in place of ``DecordInit``, and ``ArrayDecode`` in place of
    ``DecordDecode``. Later epochs, runs and processes take the frames that
    they need from the file, which has ``T H W 3`` bytes. Decoding takes a
    large part of the training of small networks on small videos. A video that
    has changed is decoded again. The frame rate is not kept, so
    ``SampleFrames`` cannot have a ``target_fps``.

    Required Keys:

        - filename

    Added Keys:

        - array
        - total_frames

    Args:
        folder (str): Folder of the frames, created if needed.
        **kwargs: As for ``DecordInit``.
    """

    def __init__(self, folder: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = folder

    def transform(self, results: Dict) -> Dict:
        """Provides the frames of a video.

        Args:
            results (dict): Results with ``filename``.

        Returns:
            dict: The same, with ``array``, uint8, (T, H, W, 3), RGB.
        """
        path = self._path(results['filename'])
        if not path.is_file():
            video = self._get_video_reader(results['filename'])
            frames = video.get_batch(range(len(video))).asnumpy()
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as part:
                np.save(part, frames)
        # Changes by later steps stay in memory.
        results['array'] = np.load(path, mmap_mode='c')
        results['total_frames'] = len(results['array'])
        return results

    def _path(self, filename: str) -> Path:
        """Returns the file of the frames of a video."""
        video = Path(filename)
        file = video.stat()
        origin = video.absolute(), file.st_size, file.st_mtime_ns
        digest = hashlib.sha256(str(origin).encode()).hexdigest()[:16]
        return Path(self.folder, f'{video.stem}-{digest}.npy')

    def __repr__(self) -> str:
        return f'{type(self).__name__}(folder={self.folder!r})'


def decode_once(cfg: Config) -> None:
    """Makes a config decode each video once.

    The frames are kept in the folder ``decoded`` of the data set. The clips
    stay the same.

    Args:
        cfg (Config): A config with ``DecordInit`` and ``DecordDecode`` in its
            pipelines, changed in place.
    """
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        folder = Path(dataset.data_root, 'decoded')
        steps = {
            'DecordInit': dict(type='DecodeOnce', folder=str(folder)),
            'DecordDecode': dict(type='ArrayDecode'),
        }
        dataset.pipeline = [
            steps.get(step['type'], step) for step in dataset.pipeline
        ]


def decode_every_time(pipeline: List[dict]) -> List[dict]:
    """Reverses :func:`decode_once` for one pipeline.

    Args:
        pipeline (list[dict]): A pipeline.

    Returns:
        list[dict]: The pipeline with ``DecordInit`` and ``DecordDecode``.
    """
    steps = {
        'DecodeOnce': dict(type='DecordInit'),
        'ArrayDecode': dict(type='DecordDecode'),
    }
    return [steps.get(step['type'], step) for step in pipeline]
