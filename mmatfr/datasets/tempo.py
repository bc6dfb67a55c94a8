"""Tempo: generated videos that need different temporal resolutions.

A textured object stands on a textured background, performs one motion, and
stands still again. Only the order of the frames reveals the class. Two
properties of the generator ensure this:

* Every class has a partner that is its exact time reversal. A clip in random
  order is therefore equally likely to come from either, and no model that
  ignores the order exceeds an accuracy of 1/2.
* The pose of a frame taken at random has the same distribution in every class.
  Each clip adds up the displacements of *all* motions: that of its class runs,
  and those of the others are frozen at a random frame of one of their clips.
  No model of single frames beats chance.

The length of the motion, its tempo, is drawn log-uniformly for every clip,
from an eighth of the frames to all of them.

The world sets further changes in a clip, such as those of the camera or other
objects, see :mod:`mmatfr.datasets.worlds`; ``still`` has none.

The pixels passed to the encoder depend only on the seed, the split, the index
of the clip and the parameters.
"""

import csv
import json
import multiprocessing
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Tuple, Union

import cv2
import numpy as np

from mmatfr.atomic_write import atomic_open, atomic_path, write_text

from .worlds import WORLDS, Disturbance, draw_disturbance

__all__ = [
    'CLASSES',
    'SIZES',
    'SPLITS',
    'WORLDS',
    'Clip',
    'Tempo',
    'TempoError',
    'VideoFormat',
    'get_size',
    'plan_clip',
    'render_clip',
    'write_tempo',
    'write_video',
]

# To be increased whenever the same parameters give other pixels.
VERSION = 1

SPLITS = ('train', 'val', 'test')
# A motion of two phases needs at least four frames to be visible.
MIN_LENGTH = 4
MIN_FRAMES = 8
MIN_SIDE = 16
# decord 0.6.0 treats frames of these widths as four-channel images
# (dmlc/decord#336), so mmaction2 could not read the videos.
_UNREADABLE_WIDTHS = (16, 24, 48, 72)

# Standard deviations of the pixel noise, in grey levels up to 255: of the
# sensor, different in every frame, and of the fixed pattern of the camera.
_FRAME_NOISE = 2.0
_CAMERA_NOISE = 2.0
# A paler background makes the object stand out in every clip.
_BACKGROUND_CONTRAST = 0.3
# Frames are rendered at twice their size and averaged, against aliasing.
_SUPERSAMPLE = 2
# Width of the region around the frame that can come into view, in units of the
# shorter side.
_SURROUND = 0.5

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
        for name in ('height', 'width'):
            value = getattr(self, name)
            if value < MIN_SIDE or value % 2:
                raise TempoError(
                    f'{name} {value} is not possible: choose an '
                    f'even number of at least {MIN_SIDE} pixels'
                )
        if self.width in _UNREADABLE_WIDTHS:
            raise TempoError(
                f'width {self.width} is not possible, decord cannot read it: '
                'choose an even number of pixels other than '
                f'{", ".join(map(str, _UNREADABLE_WIDTHS))}'
            )
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


def _streams(
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
    rng, *_ = _streams(seed, split, index)
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


def _smooth_noise(
    rng: np.random.Generator, height: int, width: int, cells: int
) -> np.ndarray:
    """Noise in [0, 1] with about ``cells`` bumps per side, (height, width)."""
    coarse = rng.random((cells + 1, cells + 1)).astype(np.float32)
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = noise.min(), noise.max()
    return (noise - low) / max(high - low, 1e-6)


def _texture(
    rng: np.random.Generator,
    height: int,
    width: int,
    contrast: float,
    surround: int = 0,
) -> np.ndarray:
    """Draws a texture in two random colours.

    Smooth noise is added to stripes and checks, so no rotation maps a texture
    onto itself.

    Args:
        rng (np.random.Generator): Source of the random numbers.
        height (int): Height in pixels.
        width (int): Width in pixels.
        contrast (float): Share of the range of grey levels, around its centre,
            for the colours, in (0, 1].
        surround (int): Number of pixels to draw beyond each border. Defaults
            to 0.

    Returns:
        np.ndarray: Texture (height, width, 3), plus the surround, float32 in
        [0, 255].
    """
    short = min(height, width)
    height, width = height + 2 * surround, width + 2 * surround
    kind = rng.integers(3)
    cells = round(rng.integers(2, 6) * min(height, width) / short)
    noise = _smooth_noise(rng, height, width, cells)
    angle, phase_u, phase_v = rng.uniform(0, 2 * np.pi, 3)
    waves = rng.uniform(1.5, 3.5)
    y, x = np.mgrid[:height, :width].astype(np.float32) / short
    u = np.cos(angle) * x + np.sin(angle) * y
    v = np.cos(angle) * y - np.sin(angle) * x
    stripes = np.sin(2 * np.pi * waves * u + phase_u)
    if kind == 0:
        mix = noise
    elif kind == 1:
        mix = 0.4 * noise + 0.3 * (1 + np.tanh(3 * stripes))
    else:
        checks = stripes * np.sin(2 * np.pi * waves * v + phase_v)
        mix = 0.4 * noise + 0.3 * (1 + np.tanh(6 * checks))

    first = rng.uniform(0, 255, 3)
    # Far from the first colour in every channel.
    second = (first + rng.uniform(70, 186, 3)) % 256
    colours = first + mix[..., None] * (second - first)
    return (127.5 + contrast * (colours - 127.5)).astype(np.float32)


def _shape(rng: np.random.Generator, side: int) -> np.ndarray:
    """Draws the soft mask of an ellipse, a polygon or a blob.

    Args:
        rng (np.random.Generator): Source of the random numbers.
        side (int): Side of the mask in pixels; the mean radius of the shape is
            about a third of it.

    Returns:
        np.ndarray: Opacity (side, side), float32 in [0, 1].
    """
    kind = rng.integers(3)
    aspect = rng.uniform(0.55, 0.8)
    corners = int(rng.integers(3, 7))
    turn = rng.uniform(0, 2 * np.pi)
    jitter = rng.uniform(-0.25, 0.25, 6)
    waves = rng.normal(0, 0.12, (2, 3))

    if kind == 1:
        angle = 2 * np.pi * (np.arange(corners) + jitter[:corners]) / corners
        radius = np.full(corners, 1.2)
    else:
        angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        order = np.arange(2, 5)[:, None] * angle
        radius = 1 + waves[0] @ np.cos(order) + waves[1] @ np.sin(order)
        if kind == 0:
            radius = np.ones_like(angle)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    if kind == 0:
        points *= [aspect**-0.5, aspect**0.5]
    spin = np.array(
        [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    )
    points = (points @ spin).clip(-1.45, 1.45) * side / 3 + side / 2

    mask = np.zeros((side, side), np.uint8)
    # Coordinates in 1/16 pixel, according to the last argument.
    cv2.fillPoly(
        mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4
    )
    return cv2.GaussianBlur(mask, (0, 0), side / 60).astype(np.float32) / 255


class _Object:
    """A random textured object.

    Args:
        rng (np.random.Generator): Source of the random numbers.
        video (VideoFormat): Shape of the videos.
    """

    def __init__(self, rng: np.random.Generator, video: VideoFormat) -> None:
        self._size = (video.width, video.height)
        self._short = min(self._size)
        self._side = side = 2 * max(self._short // 2, 16)
        alpha = _shape(rng, side)[..., None]
        # Colours premultiplied with the opacity, to avoid fringes.
        self._picture = (
            np.concatenate(
                [_texture(rng, side, side, 1.0) * alpha, 255 * alpha], 2
            )
            .round()
            .astype(np.uint8)
        )

    def put_on(self, picture: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Draws the object over a picture.

        Args:
            picture (np.ndarray): The background, (height, width, 3).
            pose (np.ndarray): Pose (x, y, angle, log size) of the object.

        Returns:
            np.ndarray: The picture with the object, float32.
        """
        x, y, angle, log_size = pose
        scale, side = _SUPERSAMPLE, self._side
        zoom = scale * np.exp(log_size) * self._short / (side / 3)
        cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        centre = (
            scale * (np.array(self._size) / 2 + self._short * np.array([x, y]))
            - 0.5
        )
        shift = centre - turn @ np.full(2, (side - 1) / 2)
        layer = cv2.warpAffine(
            self._picture,
            np.column_stack([turn, shift]),
            (scale * self._size[0], scale * self._size[1]),
            flags=cv2.INTER_LINEAR,
        )
        layer = cv2.resize(
            layer, self._size, interpolation=cv2.INTER_AREA
        ).astype(np.float32)
        return layer[..., :3] + (1 - layer[..., 3:] / 255) * picture


def _look_at(background: np.ndarray, camera: np.ndarray, video: VideoFormat):
    """Returns the view of a background by a camera, (height, width, 3)."""
    *place, angle = camera
    turn = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    size = np.array([video.width, video.height])
    whole = np.array(background.shape[1::-1])
    centre = (whole - 1) / 2 + size.min() * np.array(place)
    shift = centre - turn @ ((size - 1) / 2)
    return cv2.warpAffine(
        background,
        np.column_stack([turn, shift]),
        (video.width, video.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def _seen_from(poses: np.ndarray, camera: Optional[np.ndarray]) -> np.ndarray:
    """Converts poses (..., frames, 4) to the view of a camera (frames, 3)."""
    if camera is None:
        return poses
    x, y = np.moveaxis(poses[..., :2] - camera[:, :2], -1, 0)
    cos, sin = np.cos(camera[:, 2]), np.sin(camera[:, 2])
    seen = poses.copy()
    seen[..., 0] = cos * x + sin * y
    seen[..., 1] = cos * y - sin * x
    seen[..., 2] -= camera[:, 2]
    return seen


def render_clip(
    seed: int, split: str, index: int, video: VideoFormat, world: str = 'still'
) -> np.ndarray:
    """Renders the frames of a clip.

    Args:
        seed (int): Seed of the data set, not negative.
        split (str): One of ``train``, ``val``, ``test``.
        index (int): Number of the clip in its split.
        video (VideoFormat): Shape of the videos.
        world (str): Changes apart from the object, one of ``WORLDS``. Defaults
            to 'still', none.

    Returns:
        np.ndarray: Frames (frames, height, width, 3), uint8, BGR.
    """
    clip = plan_clip(seed, split, index, video)
    _, look, rest = _streams(seed, split, index)
    around: Disturbance = draw_disturbance(rest, world, video.frames)
    surround = 0
    if around.camera is not None:
        surround = round(_SURROUND * min(video.height, video.width))

    def draw_scene(rng: np.random.Generator):
        shape = video.height, video.width
        texture = _texture(rng, *shape, _BACKGROUND_CONTRAST, surround)
        pattern = rng.normal(0, _CAMERA_NOISE, (*shape, 3))
        return texture, pattern, _Object(rng, video)

    background, pattern, actor = draw_scene(look)
    others = [_Object(rest, video) for _ in around.distractors]
    poses = _seen_from(clip.poses, around.camera)
    others_poses = _seen_from(around.distractors, around.camera)

    frames = np.empty((video.frames, video.height, video.width, 3), np.uint8)
    for number, frame in enumerate(frames):
        if number == around.cut:
            # Another scene and another object in the same pose; the camera
            # does not change.
            background, _, actor = draw_scene(rest)
        picture = background
        if around.camera is not None:
            picture = _look_at(background, around.camera[number], video)
        for other, course in zip(others, others_poses, strict=True):
            picture = other.put_on(picture, course[number])
        picture = (picture + pattern).astype(np.float32)
        picture = actor.put_on(picture, poses[number])
        if around.exposure[number] != 1:
            picture *= np.float32(around.exposure[number])
        noise = look.standard_normal(picture.shape, np.float32)
        frame[:] = (picture + _FRAME_NOISE * noise).round().clip(0, 255)
    return frames


@dataclass(frozen=True)
class Tempo:
    """All parameters of a data set.

    Attributes:
        train (int): Number of clips to train on.
        val (int): Number of clips to validate on.
        test (int): Number of clips to test on.
        video (VideoFormat): Shape of the videos.
        seed (int): Seed, not negative.
        codec (str): Four-character code of the encoder.
        version (int): Version of the generator.
        world (str): Changes apart from the object, one of ``WORLDS``.
    """

    train: int
    val: int
    test: int
    video: VideoFormat = VideoFormat()
    seed: int = 0
    codec: str = 'mp4v'
    version: int = VERSION
    world: str = 'still'

    def __post_init__(self) -> None:
        for split in SPLITS:
            if getattr(self, split) < 1:
                raise TempoError(
                    f'{split} {getattr(self, split)} is not '
                    'possible: choose at least 1 clip'
                )
        if self.seed < 0:
            raise TempoError(f'seed {self.seed} is negative: choose 0 or more')
        if len(self.codec) != 4:
            raise TempoError(
                f'codec {self.codec!r} is no four-character '
                "code: choose one such as 'mp4v'"
            )
        if self.world not in WORLDS:
            raise TempoError(
                f'world {self.world!r} is unknown: choose from '
                f'{", ".join(WORLDS)}'
            )


SIZES: Dict[str, Tempo] = {
    'tiny': Tempo(48, 24, 24),
    'small': Tempo(2400, 240, 360),
    'full': Tempo(20000, 2000, 4000, VideoFormat(112, 112, 64)),
}


def get_size(name: str) -> Tempo:
    """Looks up the parameters of a named size.

    Args:
        name (str): One of ``SIZES``.

    Returns:
        Tempo: The parameters.
    """
    if name not in SIZES:
        raise TempoError(
            f'size {name!r} is unknown: choose from {", ".join(SIZES)}'
        )
    return SIZES[name]


def write_video(
    path: Union[str, Path],
    frames: np.ndarray,
    fps: int = 25,
    codec: str = 'mp4v',
) -> None:
    """Writes a video under a temporary name and renames it.

    Args:
        path (str | Path): Name of the file.
        frames (np.ndarray): Frames (T, H, W, 3), uint8, BGR.
        fps (int): Frames per second. Defaults to 25.
        codec (str): Four-character code of the encoder. Defaults to 'mp4v'.
    """
    size = (frames.shape[2], frames.shape[1])
    with atomic_path(path) as part:
        writer = cv2.VideoWriter(
            str(part), cv2.VideoWriter.fourcc(*codec), fps, size
        )
        if not writer.isOpened():
            raise TempoError(
                f'OpenCV cannot write {path} with the codec {codec!r}: choose '
                "a codec that it supports, such as 'mp4v', and a folder "
                'that can be written to'
            )
        for frame in frames:
            writer.write(frame)
        writer.release()
        # OpenCV does not report a full disk, which leaves a file without the
        # index of its frames.
        written = cv2.VideoCapture(str(part)).get(cv2.CAP_PROP_FRAME_COUNT)
        if written != len(frames):
            raise TempoError(
                f'{path} has {written:.0f} of {len(frames)} frames after it '
                'was written: free space on the disk, or choose another folder'
            )


def _write_clip(job: Tuple[str, Tempo, str, int]) -> None:
    """Renders and writes one clip."""
    path, tempo, split, index = job
    if not os.path.exists(path):
        frames = render_clip(
            tempo.seed, split, index, tempo.video, tempo.world
        )
        write_video(path, frames, tempo.video.fps, tempo.codec)


def _init_worker() -> None:
    # Workers share the cores, and threads of OpenCV would compete for them.
    cv2.setNumThreads(0)


def _list_files(out: Path) -> List[Path]:
    """Lists the files of a complete data set, written after the videos."""
    return [out / 'classes.txt'] + [
        out / f'{split}.{suffix}'
        for split in SPLITS
        for suffix in ('csv', 'txt')
    ]


def _write_lists(out: Path, tempo: Tempo) -> None:
    """Writes the names of the classes and the lists of the splits."""
    write_text(out / 'classes.txt', '\n'.join(CLASSES) + '\n')
    for split in SPLITS:
        lines, rows = [], []
        for index in range(getattr(tempo, split)):
            clip = plan_clip(tempo.seed, split, index, tempo.video)
            name = f'{split}/{index:05d}.mp4'
            lines.append(f'{name} {clip.label}\n')
            rows.append(
                (
                    name,
                    clip.label,
                    CLASSES[clip.label],
                    clip.start,
                    clip.length,
                )
            )
        table = out / f'{split}.csv'
        with atomic_open(table, newline='', encoding='utf-8') as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow(('filename', 'label', 'class', 'start', 'length'))
            writer.writerows(rows)
        write_text(out / f'{split}.txt', ''.join(lines))


def _prepare(out: Path, tempo: Tempo, overwrite: bool) -> bool:
    """Creates the folders and checks existing files.

    Returns:
        bool: Whether a complete data set with these parameters exists.
    """
    sidecar = out / 'tempo.json'
    if out.exists() and not out.is_dir():
        raise TempoError(f'{out} is a file: choose another folder')
    if out.exists() and not sidecar.exists() and any(out.iterdir()):
        raise TempoError(
            f'{out} has files but no tempo.json, so they are '
            'not from this generator: choose another folder'
        )
    if sidecar.exists():
        try:
            found = json.loads(sidecar.read_text(encoding='utf-8'))
        except ValueError:
            found = 'unreadable'
        wanted = asdict(tempo)
        if isinstance(found, dict):
            # Data sets from before the introduction of worlds have no world.
            found = {**found, 'world': found.get('world', 'still')}
        if overwrite:
            for path in _list_files(out):
                path.unlink(missing_ok=True)
            for split in SPLITS:
                shutil.rmtree(out / 'videos' / split, ignore_errors=True)
        elif found != wanted:
            raise TempoError(
                f'{out} has a data set with other parameters, '
                f'{json.dumps(found)} instead of {json.dumps(wanted)}: '
                'choose another folder or replace it with --overwrite'
            )
        elif all(path.exists() for path in _list_files(out)):
            return True
    try:
        for split in SPLITS:
            (out / 'videos' / split).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TempoError(
            f'{out} cannot be written to '
            f'({error.strerror}): choose another folder'
        ) from error
    write_text(sidecar, json.dumps(asdict(tempo), indent=2) + '\n')
    return False


def write_tempo(
    out: Union[str, Path],
    tempo: Tempo,
    workers: int = 1,
    overwrite: bool = False,
) -> Optional[Iterator[int]]:
    """Writes a data set, or continues an interrupted one.

    It writes the videos, the annotation lists for mmaction2's
    ``VideoDataset``, a table ``filename,label,class,start,length`` for each
    split, ``classes.txt``, and ``tempo.json`` with the parameters. The lists
    are written last, so a folder with lists is complete.

    Args:
        out (str | Path): Folder of the data set.
        tempo (Tempo): Parameters.
        workers (int): Number of processes; 1 means the current process.
            Defaults to 1.
        overwrite (bool): Whether to replace an existing data set. Defaults to
            False.

    Returns:
        Iterator[int] | None: Yields the number of finished clips after each
        clip; iterating does the work. None if the data set already exists.
    """
    out = Path(out)
    if workers < 1:
        raise TempoError(
            f'workers {workers} is not possible: choose at least 1'
        )
    # Without the codec every worker would fail, so try it before anything is
    # removed or written.
    blank = np.zeros((1, tempo.video.height, tempo.video.width, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        write_video(
            Path(folder) / 'probe.mp4', blank, tempo.video.fps, tempo.codec
        )
    if _prepare(out, tempo, overwrite):
        return None
    return _run(out, tempo, workers)


def _run(out: Path, tempo: Tempo, workers: int) -> Iterator[int]:
    jobs = [
        (str(out / 'videos' / split / f'{index:05d}.mp4'), tempo, split, index)
        for split in SPLITS
        for index in range(getattr(tempo, split))
    ]
    if workers == 1:
        for done, job in enumerate(jobs, 1):
            _write_clip(job)
            yield done
    else:
        context = multiprocessing.get_context('spawn')
        with context.Pool(workers, _init_worker) as pool:
            steps = pool.imap_unordered(_write_clip, jobs, chunksize=4)
            for done, _ in enumerate(steps, 1):
                yield done
    _write_lists(out, tempo)
