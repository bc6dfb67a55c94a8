"""Grad-CAM: mmaction2's class runs, and ours shows frames in time."""

from itertools import cycle

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmaction.utils import GradCAM as PlainGradCAM
from small_recognizers import x3d

from mmatfr.sgs import equal_groups
from mmatfr.visualization.gradcam import GradCAM

FRAMES = 12


def recognizer(sgs=None, **options):
    torch.manual_seed(0)
    return MODELS.build(x3d(num_classes=5, sgs=sgs, **options)).eval()


def views(number=1):
    generator = torch.manual_seed(1)
    x = 255 * torch.rand(number, 3, FRAMES, 32, 32, generator=generator)
    return dict(inputs=[x], data_samples=[ActionDataSample()])


@pytest.mark.parametrize('readout', ['mean', 'frames'])
def test_that_of_mmaction2_runs(readout):
    model = recognizer(sgs=dict(stage=1), readout=readout)
    blended, _ = PlainGradCAM(model, 'backbone/layer4')(views())
    assert blended.shape == (1, FRAMES, 32, 32, 3)


def test_without_sampling_it_is_that_of_mmaction2():
    model = recognizer()
    data = views(2)
    expected = PlainGradCAM(model, 'backbone/layer4')(data)
    actual = GradCAM(recognizer(), 'backbone/layer4')(data)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize('layer', ['layer1', 'layer4', 'conv1_t'])
def test_every_frame_has_the_map_of_its_group(execution, layer):
    """Two views, one of 3 groups and one of 5, in the order of time."""
    model = recognizer(sgs=dict(stage=1), execution=execution)
    lengths = [3, 5]
    left = cycle(lengths)
    model.backbone.sgs.binning = lambda magnitude: equal_groups(
        magnitude, [next(left) for _ in magnitude]
    )
    cam = GradCAM(model, f'backbone/{layer}')
    cam(views(2))
    assert cam.target_activations.shape[:3:2] == (2, FRAMES)
    assert cam.target_gradients.shape == cam.target_activations.shape
    for view, length in enumerate(lengths):
        for maps in (cam.target_activations, cam.target_gradients):
            frames = maps[view].unbind(1)
            groups = [t * length // FRAMES for t in range(FRAMES)]
            same = [
                bool(frames[t].equal(frames[t - 1])) for t in range(1, FRAMES)
            ]
            expected = [
                layer != 'conv1_t' and groups[t] == groups[t - 1]
                for t in range(1, FRAMES)
            ]
            assert same == expected
