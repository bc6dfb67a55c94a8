"""Worlds of tempo: changes in a clip apart from the acting object.

The changes do not depend on the class, and each is as likely as its time
reversal. Therefore the two properties of tempo hold in every world: single
frames, and frames without their order, reveal no more about the class than in
a still world.
"""

from dataclasses import dataclass
from typing import Optional

import cv2
import numpy as np

__all__ = ['WORLDS', 'Disturbance', 'draw_disturbance']

# All but the first and the last have one disturbance; `wild` has all.
WORLDS = ('still', 'camera', 'distractor', 'flicker', 'cut', 'wild')

# Lengths are in units of the shorter side of the frame, angles in radians.
_PAN = (0.05, 0.15)
_TURN = 0.06
_SHAKE = 0.006
_SHAKE_ANGLE = 0.01
_DISTRACTORS = (1, 2)
_DISTRACTOR_RADIUS = (0.05, 0.08)
# Relative changes of the exposure: from frame to frame, and slow ones.
_FLICKER = 0.02
_DRIFT = 0.05


@dataclass(frozen=True)
class Disturbance:
    """Changes in a clip apart from the acting object.

    Attributes:
        camera (np.ndarray, optional): Position (x, y) and angle of the camera
            in each frame, (frames, 3); None if it stands still. Lengths are in
            units of the shorter side of the frame, angles in radians.
        distractors (np.ndarray): Pose (x, y, angle, log size) of each other
            object in each frame, (objects, frames, 4).
        exposure (np.ndarray): Factor of the brightness of each frame,
            (frames,), 1 without flicker.
        cut (int, optional): First frame of the second scene; None without a
            cut.
    """

    camera: Optional[np.ndarray]
    distractors: np.ndarray
    exposure: np.ndarray
    cut: Optional[int]


def draw_disturbance(
    rng: np.random.Generator, world: str, frames: int
) -> Disturbance:
    """Draws the disturbances of a clip.

    The same random numbers are drawn in every world, so each disturbance of a
    clip is the same alone and in ``wild``.

    Args:
        rng (np.random.Generator): Source of the random numbers.
        world (str): One of ``WORLDS``.
        frames (int): Number of frames of the clip.

    Returns:
        Disturbance: The disturbance; none in ``still``.
    """
    camera = _draw_camera(rng, frames)
    distractors = _draw_distractors(rng, frames)
    exposure = _draw_exposure(rng, frames)
    cut = int(rng.integers(1, frames))
    return Disturbance(
        camera=camera if world in ('camera', 'wild') else None,
        distractors=distractors
        if world in ('distractor', 'wild')
        else np.zeros((0, frames, 4)),
        exposure=exposure if world in ('flicker', 'wild') else np.ones(frames),
        cut=cut if world in ('cut', 'wild') else None,
    )


def _smooth(
    rng: np.random.Generator, frames: int, channels: int, sigma: float
) -> np.ndarray:
    """Draws smooth noise of unit variance, (frames, channels)."""
    margin = int(np.ceil(3 * sigma))
    noise = rng.standard_normal((frames + 2 * margin, channels))
    kernel = cv2.getGaussianKernel(2 * margin + 1, sigma).ravel()
    kernel = kernel / np.linalg.norm(kernel)
    return np.stack(
        [np.convolve(column, kernel, 'valid') for column in noise.T], 1
    )


def _draw_camera(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draws a pan at constant speed, a slight turn, and hand shake."""
    direction = rng.uniform(0, 2 * np.pi)
    pan = rng.uniform(*_PAN)
    way = [pan * np.cos(direction), pan * np.sin(direction)]
    way.append(rng.uniform(-_TURN, _TURN))
    time = np.linspace(-0.5, 0.5, frames)[:, None]
    shake = _smooth(rng, frames, 3, sigma=1.0)
    return time * way + shake * [_SHAKE, _SHAKE, _SHAKE_ANGLE]


def _draw_distractors(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draws objects that never rest, each on a Lissajous curve."""
    objects = int(rng.integers(_DISTRACTORS[0], _DISTRACTORS[1] + 1))
    poses = []
    time = np.linspace(0, 1, frames)[:, None]
    for _ in range(_DISTRACTORS[1]):
        periods = rng.uniform(0.6, 1.4, 2)
        phases = rng.uniform(0, 2 * np.pi, 2)
        reach = rng.uniform(0.2, 0.45, 2)
        place = reach * np.sin(2 * np.pi * periods * time + phases)
        spin = rng.uniform(-2 * np.pi, 2 * np.pi) * time
        spin += rng.uniform(0, 2 * np.pi)
        size = np.full((frames, 1), np.log(rng.uniform(*_DISTRACTOR_RADIUS)))
        poses.append(np.hstack([place, spin, size]))
    return np.array(poses[:objects])


def _draw_exposure(rng: np.random.Generator, frames: int) -> np.ndarray:
    fast = rng.standard_normal(frames)
    slow = _smooth(rng, frames, 1, sigma=3.0)[:, 0]
    return np.exp(_FLICKER * fast + _DRIFT * slow)
