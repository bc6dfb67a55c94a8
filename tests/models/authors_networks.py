"""Networks of the authors' repository, as configs."""

import json
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS

DATA = Path(__file__).parents[1] / 'data'


def build(cfg):
    model = MODELS.build(cfg)
    model.eval()  # which not every module of mmaction2 returns
    return model


def reference(name):
    """Arrays of one of the authors' networks, and its weights."""
    arrays = {
        key: torch.as_tensor(value)
        for key, value in np.load(DATA / f'{name}_reference.npz').items()
        if key != 'shapes'
    }
    weights = {key[2:]: arrays[key] for key in arrays if key.startswith('w.')}
    return arrays, weights


def slowfast_weights():
    """The authors' weights, with zeros for those that are not stored."""
    arrays, weights = reference('slowfast')
    shapes = np.load(DATA / 'slowfast_reference.npz')['shapes']
    weights.update(
        {
            key[2:]: torch.zeros(shape)
            for key, shape in json.loads(str(shapes)).items()
        }
    )
    return arrays, weights
