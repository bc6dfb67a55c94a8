"""Frames of clips: textures, objects, the view of the camera and noise."""

from typing import Optional

import cv2
import numpy as np

from .plan import VideoFormat, plan_clip, random_streams
from .worlds import Disturbance, draw_disturbance

__all__ = ['render_clip']

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
    _, look, rest = random_streams(seed, split, index)
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
