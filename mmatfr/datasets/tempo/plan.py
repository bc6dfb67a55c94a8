"""Plans of clips: classes, motions and the poses of the object."""

from dataclasses import dataclass
from typing import Callable, Dict, Tuple

import numpy as np

from ..video_files import check_frame_size

__all__ = [
    'CLASSES',
    'SPLITS',
    'Clip',
    'TempoError',
    'VideoFormat',
    'plan_clip',
    'random_streams',
]

SPLITS = ('train', 'val', 'test')
# A motion of two phases needs at least four frames to be visible.
MIN_LENGTH = 4
MIN_FRAMES = 8

# Pose of the object: centre (x, y) relative to the centre of the frame and log
# of the radius, lengths in units of the shorter side; angle in radians.
_AXES = ('x', 'y', 'angle', 'log_size')
_BASE_RANGE = np.array(
    [
        [-0.05, 0.05],
        [-0.05, 0.05],
        [0.0, 2 * np.pi],
        [np.log(0.18), np.log(0.22)],
    ]
)


class TempoError(ValueError):
    """A parameter or a folder that the generator cannot work with."""


def _ramp(phase: np.ndarray) -> np.ndarray:
    """Rises from -1 to 1."""
    return 2.0 * phase - 1.0


def _wave(phase: np.ndarray) -> np.ndarray:
    """One period of a sine: 0, 1, 0, -1, 0."""
    return np.sin(2.0 * np.pi * phase)


@dataclass(frozen=True)
class Motion:
    """A displacement of the object along one axis of its pose.

    Attributes:
        axis (str): One of ``x``, ``y``, ``angle``, ``log_size``.
        curve (Callable): Displacement in [-1, 1] over the phase in [0, 1]. It
            is odd, ``curve(1 - p) == -curve(p)``, so that the opposite sign is
            the time reversal.
        amplitude (tuple): Smallest and largest amplitude, in units of the
            axis.
    """

    axis: str
    curve: Callable[[np.ndarray], np.ndarray]
    amplitude: Tuple[float, float]


_MOTIONS = (
    Motion('x', _ramp, (0.14, 0.18)),
    Motion('y', _ramp, (0.14, 0.18)),
    Motion('angle', _ramp, (0.8, 1.1)),
    Motion('log_size', _ramp, (0.28, 0.35)),
    Motion('log_size', _wave, (0.28, 0.35)),
    Motion('x', _wave, (0.14, 0.18)),
)
# Name of each class with the index of its motion and the sign. The y axis
# points down, and angles increase clockwise, as in images.
_PROGRAMS: Dict[str, Tuple[int, int]] = {
    'translate_right': (0, 1),
    'translate_left': (0, -1),
    'translate_up': (1, -1),
    'translate_down': (1, 1),
    'rotate_clockwise': (2, 1),
    'rotate_counterclockwise': (2, -1),
    'zoom_in': (3, 1),
    'zoom_out': (3, -1),
    'zoom_in_then_out': (4, 1),
    'zoom_out_then_in': (4, -1),
    'oscillate_right_first': (5, 1),
    'oscillate_left_first': (5, -1),
}
CLASSES = tuple(_PROGRAMS)


@dataclass(frozen=True)
class VideoFormat:
    """Shape of the videos.

    Attributes:
        height (int): Height of a frame in pixels, even.
        width (int): Width of a frame in pixels, even.
        frames (int): Number of frames of a clip.
        fps (int): Frames per second, metadata of the file.
    """

    height: int = 64
    width: int = 64
    frames: int = 32
    fps: int = 25

    def __post_init__(self) -> None:
        check_frame_size(self.height, self.width)
        if self.frames < MIN_FRAMES:
            raise TempoError(
                f'frames {self.frames} is not possible: choose '
                f'at least {MIN_FRAMES}'
            )
        if self.fps < 1:
            raise TempoError(
                f'fps {self.fps} is not possible: choose a positive number'
            )

    @property
    def min_length(self) -> int:
        """int: Number of frames of the fastest action."""
        return max(MIN_LENGTH, self.frames // 8)


@dataclass(frozen=True)
class Clip:
    """The plan of a clip.

    Attributes:
        label (int): Class, an index into ``CLASSES``.
        start (int): First frame of the action, counted from 0.
        length (int): Number of frames of the action, with phases from 0 in the
            first to 1 in the last.
        poses (np.ndarray): Pose (x, y, angle, log size) of the object in each
            frame, (frames, 4). Lengths are in units of the shorter side of
            the frame, relative to its centre.
    """

    label: int
    start: int
    length: int
    poses: np.ndarray


def random_streams(
    seed: int, split: str, index: int
) -> Tuple[np.random.Generator, ...]:
    """Random generators of a clip, for its motion, its look and its world."""
    if seed < 0:
        raise TempoError(f'seed {seed} is negative: choose 0 or more')
    if split not in SPLITS:
        raise TempoError(
            f'split {split!r} is unknown: choose from {", ".join(SPLITS)}'
        )
    root = np.random.SeedSequence([seed, SPLITS.index(split), index])
    return tuple(np.random.default_rng(stream) for stream in root.spawn(3))


def _draw_course(
    rng: np.random.Generator, motion: Motion, video: VideoFormat
) -> Tuple[int, int, np.ndarray]:
    """Draws the time and the extent of a motion.

    Returns:
        tuple: First frame, number of frames and the displacement in each frame
        of the clip, (frames,), for the positive sign.
    """
    bounds = np.log([video.min_length, video.frames])
    length = int(round(np.exp(rng.uniform(*bounds))))
    start = int(rng.integers(video.frames - length + 1))
    amplitude = rng.uniform(*motion.amplitude)
    ease = rng.uniform(0.0, 0.5)

    phase = np.clip((np.arange(video.frames) - start) / (length - 1), 0, 1)
    # Between constant velocity and half a smooth step. Start and stop are
    # alike, which keeps the symmetry in time.
    phase = (1 - ease) * phase + ease * phase**2 * (3 - 2 * phase)
    return start, length, amplitude * motion.curve(phase)


def plan_clip(seed: int, split: str, index: int, video: VideoFormat) -> Clip:
    """Draws the plan of a clip, without rendering it.

    The same random numbers are drawn for every class.

    Args:
        seed (int): Seed of the data set, not negative.
        split (str): One of ``train``, ``val``, ``test``.
        index (int): Index of the clip in its split. The classes alternate.
        video (VideoFormat): Shape of the videos.

    Returns:
        Clip: The plan.
    """
    rng, *_ = random_streams(seed, split, index)
    label = index % len(CLASSES)
    own, sign = _PROGRAMS[CLASSES[label]]

    poses = np.tile(rng.uniform(*_BASE_RANGE.T), (video.frames, 1))
    for number, motion in enumerate(_MOTIONS):
        course = _draw_course(rng, motion, video)
        frozen_sign = rng.choice((-1, 1))
        frozen_frame = rng.integers(video.frames)
        axis = _AXES.index(motion.axis)
        if number == own:
            start, length, offset = course
            poses[:, axis] += sign * offset
        else:
            poses[:, axis] += frozen_sign * course[2][frozen_frame]
    return Clip(label, start, length, poses)
