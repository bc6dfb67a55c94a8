"""Transforms of video clips."""

from typing import Dict

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmatfr.sgs import check_integer

__all__ = ['LimitToWord', 'ShuffleFrames']


@TRANSFORMS.register_module()
class LimitToWord(BaseTransform):
    """Limits a video to the frames of clips that contain a word.

    A subsequent ``SampleFrames`` then takes a clip with the whole word, at a
    random position in training and at the ``place`` of the data set in
    testing. Clips stay within the video, which may limit the positions. Videos
    without ``word`` are not changed.

    Required Keys:

        - total_frames
        - start_index
        - word (optional), its first frame and the frame after its last
        - place (optional), from 0, with the word at the end of the clip, to 1

    Modified Keys:

        - total_frames
        - start_index

    Args:
        num_frames (int): Number of frames of a clip.
        test_mode (bool): Whether to leave a single clip. Defaults to False.

    Raises:
        ValueError: If the number of frames is not a positive integer.
    """

    def __init__(self, num_frames: int, test_mode: bool = False) -> None:
        check_integer('num_frames', num_frames)
        self.num_frames = num_frames
        self.test_mode = test_mode

    def transform(self, results: Dict) -> Dict:
        """Limits the video.

        Args:
            results (dict): Results with ``total_frames`` and ``start_index``.

        Returns:
            dict: The same, with new values of these keys.

        Raises:
            ValueError: If the word is longer than a clip.
        """
        if 'word' not in results:
            return results
        start, end = results['word']
        if end - start > self.num_frames:
            raise ValueError(
                f'clips of {self.num_frames} frames cannot contain a word of '
                f'{end - start}; set a larger num_frames'
            )
        total = results['total_frames']
        latest = max(0, min(start, total - self.num_frames))
        earliest = min(latest, max(0, end - self.num_frames))
        if self.test_mode:
            place = results.get('place', 0.5)
            earliest += round(place * (latest - earliest))
            latest = earliest
        results['start_index'] += earliest
        results['total_frames'] = (
            min(total, latest + self.num_frames) - earliest
        )
        return results

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(num_frames={self.num_frames}, '
            f'test_mode={self.test_mode})'
        )


@TRANSFORMS.register_module()
class ShuffleFrames(BaseTransform):
    """Puts the frames of every clip into a random order.

    This is a control for benchmarks: a recognizer trained and tested with it
    sees the same frames but not their order. Put it after the decoding,
    because decoders read frames out of order slowly.

    Required Keys:

        - imgs
        - clip_len
        - num_clips

    Modified Keys:

        - imgs
    """

    def transform(self, results: Dict) -> Dict:
        """Shuffles the frames within each clip.

        Args:
            results (dict): Results with ``imgs``, the ``num_clips * clip_len``
                frames of all clips, clip after clip, each (H, W, 3).

        Returns:
            dict: The same with the frames in their new order.
        """
        clip_len, num_clips = results['clip_len'], results['num_clips']
        imgs = results['imgs']
        if len(imgs) != clip_len * num_clips:
            raise ValueError(
                f'ShuffleFrames got {len(imgs)} frames, but {num_clips} clips '
                f'of {clip_len} frames: put it after the decoding and before '
                'any transform that adds crops'
            )
        order = np.concatenate(
            [
                clip * clip_len + np.random.permutation(clip_len)
                for clip in range(num_clips)
            ]
        )
        results['imgs'] = [imgs[i] for i in order]
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
