"""docs/forward.md: its names exist, and its snippet runs."""

import operator
import re
from pathlib import Path

import torch

from mmatfr import cost, evaluation, models, ragged, sgs
from mmatfr.models.backbones import pathway, sampled_clips
from mmatfr.ragged import modules
from mmatfr.visualization import gradcam

PAGE = Path(__file__).parents[2] / 'docs/forward.md'
ROOMS = (
    cost,
    evaluation,
    models,
    ragged,
    sgs,
    gradcam,
    pathway,
    sampled_clips,
    modules,
)


def test_names_exist():
    page = PAGE.read_text()
    names = re.findall(r'`([A-Z]\w+(?:\.\w+)?|\w+_\w+)`', page)
    assert len(names) > 25
    for name in names:
        first, *_ = name.split('.')
        (room, *_) = [room for room in ROOMS if hasattr(room, first)]
        operator.attrgetter(name)(room)


def test_snippet_runs():
    (snippet,) = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.S)
    scope = {}
    exec(snippet, scope)
    (maps,) = scope['maps']
    assert maps.shape[:3] == (2, 96, 8) and torch.isfinite(maps).all()
