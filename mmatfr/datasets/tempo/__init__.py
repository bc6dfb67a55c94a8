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
objects, see :mod:`mmatfr.datasets.tempo.worlds`; ``still`` has none.

The pixels passed to the encoder depend only on the seed, the split, the index
of the clip and the parameters.
"""

from .files import SIZES, Tempo, get_size, write_tempo
from .plan import (
    CLASSES,
    SPLITS,
    Clip,
    TempoError,
    VideoFormat,
    plan_clip,
)
from .rendering import render_clip
from .worlds import WORLDS

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
]
