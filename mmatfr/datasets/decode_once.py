"""Decodes each video once."""

import hashlib
from pathlib import Path
from typing import Dict, List

import numpy as np
from mmaction.datasets.transforms import DecordInit
from mmaction.registry import TRANSFORMS
from mmengine.config import Config

from mmatfr.atomic_write import atomic_path, make_folder, write_text

__all__ = ['DecodeOnce', 'decode_every_time', 'decode_once']


@TRANSFORMS.register_module()
class DecodeOnce(DecordInit):
    """Decodes a video when it is first read, and keeps its frames in a file.

    Put it in place of ``DecordInit``, and ``ArrayDecode`` in place of
    ``DecordDecode``. Later epochs, runs and processes take the frames that
    they need from the file, which has ``T H W 3`` bytes. Decoding takes a
    large part of the training of small networks on small videos. A video that
    has changed is decoded again.

    Required Keys:

        - filename, of a local file

    Added Keys:

        - array
        - total_frames
        - avg_fps

    Args:
        folder (str): Folder of the frames, created if needed.
        num_threads (int): Number of threads of the decoder. Defaults to 1.
    """

    def __init__(self, folder: str, num_threads: int = 1) -> None:
        super().__init__(num_threads=num_threads)
        self.folder = folder

    def transform(self, results: Dict) -> Dict:
        """Provides the frames of a video.

        Args:
            results (dict): Results with ``filename``.

        Returns:
            dict: The same, with ``array``, uint8, (T, H, W, 3), RGB.

        Raises:
            WriteError: If the frames cannot be written.
        """
        path = self._path(results['filename'])
        rate = path.with_suffix('.fps')
        if not path.is_file():
            video = self._get_video_reader(results['filename'])
            frames = video.get_batch(range(len(video))).asnumpy()
            make_folder(path.parent)
            write_text(rate, repr(video.get_avg_fps()))
            with atomic_path(path) as part:
                np.save(part, frames)
        # Changes by later steps stay in memory.
        results['array'] = np.load(path, mmap_mode='c')
        results['total_frames'] = len(results['array'])
        results['avg_fps'] = float(rate.read_text())
        return results

    def _path(self, filename: str) -> Path:
        """Returns the file of the frames of a video."""
        video = Path(filename)
        if not video.suffix:  # as mmaction2 does
            video = video.with_suffix('.mp4')
        file = video.stat()
        origin = video.absolute(), file.st_size, file.st_mtime_ns
        digest = hashlib.sha256(str(origin).encode()).hexdigest()[:16]
        return Path(self.folder, f'{video.stem}-{digest}.npy')

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(folder={self.folder!r}, '
            f'num_threads={self.num_threads})'
        )


def decode_once(cfg: Config) -> None:
    """Makes a config decode each video once.

    The frames are kept in the folder ``decoded`` of the data set. The clips
    stay the same.

    Args:
        cfg (Config): A config with ``DecordInit`` and ``DecordDecode`` in its
            pipelines, changed in place.

    Raises:
        ValueError: If a pipeline does not have both, or skips to key frames.
    """
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        kinds = [step['type'] for step in dataset.pipeline]
        if not {'DecordInit', 'DecordDecode'} <= set(kinds):
            raise ValueError(
                'videos can be decoded once by pipelines with DecordInit and '
                f'DecordDecode, but that of the {split} split has {kinds}'
            )
        folder = str(Path(dataset.data_root, 'decoded'))
        pipeline = []
        for step in dataset.pipeline:
            if step['type'] == 'DecordInit':
                step = dict(step, type='DecodeOnce', folder=folder)
            elif step['type'] == 'DecordDecode':
                if step.get('mode', 'accurate') != 'accurate':
                    raise ValueError(
                        f'DecordDecode of the {split} split has '
                        f'mode={step["mode"]!r}, which takes key frames only; '
                        "videos can be decoded once with mode='accurate'"
                    )
                step = dict(type='ArrayDecode')
            pipeline.append(step)
        dataset.pipeline = pipeline


def decode_every_time(pipeline: List[dict]) -> List[dict]:
    """Reverses :func:`decode_once` for one pipeline.

    Args:
        pipeline (list[dict]): A pipeline.

    Returns:
        list[dict]: The pipeline with ``DecordInit`` and ``DecordDecode``.
    """
    steps = []
    for step in pipeline:
        if step['type'] == 'DecodeOnce':
            step = dict(step, type='DecordInit')
            del step['folder']
        elif step['type'] == 'ArrayDecode':
            step = dict(type='DecordDecode')
        steps.append(step)
    return steps
