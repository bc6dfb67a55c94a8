"""Changes in the clips of tempo apart from the acting object."""

import hashlib
import json

import numpy as np
import pytest

from mmatfr.datasets.tempo import (
    WORLDS,
    Tempo,
    TempoError,
    VideoFormat,
    plan_clip,
    render_clip,
    rendering,
    write_tempo,
)
from mmatfr.datasets.tempo.plan import random_streams
from mmatfr.datasets.tempo.worlds import draw_disturbance

VIDEO = VideoFormat()


def disturb(world, seed=0, frames=32):
    return draw_disturbance(np.random.default_rng(seed), world, frames)


@pytest.mark.parametrize(
    'key, video, sha256',
    [
        ((0, 'train', 5), VIDEO, '1888e3b0ff283b340949502063cb0bab'),
        (
            (3, 'test', 7),
            VideoFormat(32, 40, 8),
            '207ad33219e0909eb0090752c1971e09',
        ),
        (
            (1, 'val', 10),
            VideoFormat(112, 112, 64),
            '017defeba2ef9bc50e683b10d632c5d4',
        ),
    ],
)
def test_still_world_keeps_its_pixels(key, video, sha256):
    """The pixels of version 1 of the generator, before worlds existed."""
    frames = render_clip(*key, video)
    assert hashlib.sha256(frames.tobytes()).hexdigest().startswith(sha256)


@pytest.mark.parametrize('world', WORLDS)
def test_frames_depend_on_the_world_and_change_outside_the_action(world):
    index = next(
        i for i in range(99) if plan_clip(0, 'val', i, VIDEO).length < 8
    )
    clip = plan_clip(0, 'val', index, VIDEO)
    frames = render_clip(0, 'val', index, VIDEO, world)
    assert (frames == render_clip(0, 'val', index, VIDEO, world)).all()
    assert frames.shape == (32, 64, 64, 3) and frames.dtype == np.uint8
    # 8x8 blocks, whose means hardly show the sensor's noise.
    blocks = frames.reshape(32, 8, 8, 8, 8, 3).mean((2, 4), dtype=float)
    change = np.abs(np.diff(blocks, axis=0)).mean((1, 2, 3))
    rest = np.ones(31, bool)
    rest[clip.start : clip.start + clip.length - 1] = False
    if world == 'still':
        assert change[rest].max() < 0.5
    elif world == 'cut':
        assert change[disturb_of(index, world).cut - 1] > 5
    else:
        assert np.median(change[rest]) > 0.5


def disturb_of(index, world):
    *_, rest = random_streams(0, 'val', index)
    return draw_disturbance(rest, world, 32)


def test_disturbances_come_alone_and_all_together():
    wild = disturb('wild')
    alone = dict(
        camera='camera',
        distractors='distractor',
        exposure='flicker',
        cut='cut',
    )
    for part, world in alone.items():
        for other in alone:
            value = getattr(disturb(world), other)
            wanted = wild if other == part else disturb('still')
            np.testing.assert_equal(value, getattr(wanted, other))
    still = disturb('still')
    assert still.camera is None and still.cut is None
    assert len(still.distractors) == 0 and (still.exposure == 1).all()


def test_disturbances_have_no_direction_in_time():
    drawn = [disturb('wild', seed) for seed in range(600)]
    camera = np.array([d.camera for d in drawn])
    exposure = np.log([d.exposure for d in drawn])
    cuts = np.array([d.cut for d in drawn])
    for course in (*np.moveaxis(camera, -1, 0), exposure):
        # As far from 0 at one end as at the other, and on average at 0.
        error = course.std(0) / np.sqrt(len(course))
        assert (np.abs(course.mean(0)) < 5 * error).all()
        early, late = (np.abs(course[:, part]) for part in (0, -1))
        spread = np.hypot(early.std(), late.std()) / np.sqrt(len(course))
        assert abs(early.mean() - late.mean()) < 5 * spread
    assert cuts.min() == 1 and cuts.max() == 31
    assert abs(cuts.mean() - 16) < 5 * cuts.std() / np.sqrt(len(cuts))
    counts = [len(d.distractors) for d in drawn]
    assert set(counts) == {1, 2}
    for d in drawn[:50]:  # never at rest
        moves = np.abs(np.diff(d.distractors, axis=1)).max(axis=2)
        assert (moves > 1e-3).all()


def test_objects_and_background_move_alike_under_a_camera():
    """A mark in the scene appears at the position of an object there."""
    surround = 32
    background = np.zeros((128, 128, 3), np.float32)
    place = np.array([0.2, -0.1])
    x, y = np.round(64 * place + 63.5).astype(int)
    background[y, x] = 255
    place = (np.array([x, y]) - 63.5) / 64
    camera = np.array([0.1, 0.05, 0.3])
    seen = rendering._look_at(background, camera, VIDEO)[..., 0]
    rows, columns = np.mgrid[:64, :64]
    found = np.array([(seen * g).sum() / seen.sum() for g in (columns, rows)])
    pose = np.array([[*place, 1.0, -1.5]])
    x, y, angle, size = rendering._seen_from(pose, camera[None])[0]
    assert np.allclose((found - 31.5) / 64, (x, y), atol=0.005)
    assert angle == pytest.approx(0.7) and size == -1.5
    assert rendering._SURROUND * 64 == surround


def test_cut_leaves_what_comes_before_it():
    for index in range(3):
        cut = disturb_of(index, 'cut').cut
        still = render_clip(0, 'val', index, VIDEO)
        frames = render_clip(0, 'val', index, VIDEO, 'cut')
        assert (frames[:cut] == still[:cut]).all()
        differs = np.abs(frames[cut:].astype(float) - still[cut:]).mean()
        assert differs > 10


def test_flicker_multiplies_frames():
    still = render_clip(0, 'val', 2, VIDEO).mean((1, 2, 3))
    frames = render_clip(0, 'val', 2, VIDEO, 'flicker').mean((1, 2, 3))
    exposure = disturb_of(2, 'flicker').exposure
    assert np.allclose(frames / still, exposure, atol=0.02)
    assert exposure.std() > 0.03


def test_world_is_a_parameter_of_the_data_set(tmp_path):
    size = dict(train=1, val=1, test=1)
    with pytest.raises(TempoError, match="'moon' .* still, camera, .* wild"):
        Tempo(**size, world='moon')
    wild, still = Tempo(**size, world='wild'), Tempo(**size)
    list(write_tempo(tmp_path, wild))
    sidecar = tmp_path / 'tempo.json'
    assert json.loads(sidecar.read_text())['world'] == 'wild'
    with pytest.raises(TempoError, match='"world": "wild".*"world": "still"'):
        write_tempo(tmp_path, still)
    # A data set from before there were worlds is one of the still world.
    list(write_tempo(tmp_path, still, overwrite=True))
    known = json.loads(sidecar.read_text())
    del known['world']
    sidecar.write_text(json.dumps(known))
    assert write_tempo(tmp_path, still) is None
    with pytest.raises(TempoError, match='with other parameters'):
        write_tempo(tmp_path, wild)
