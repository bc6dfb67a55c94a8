"""Transforms of video clips."""

from typing import Dict

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

__all__ = ['ShuffleFrames']


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
