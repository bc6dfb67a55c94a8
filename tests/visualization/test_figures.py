"""Figures and pages are legible."""

import io
import itertools

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from mmaction.registry import MODELS
from PIL import Image

from mmatfr.apis import first_view
from mmatfr.visualization.animated_page import animate_groups
from mmatfr.visualization.charts import draw_class_ranking
from mmatfr.visualization.colours import COLOURS
from mmatfr.visualization.figures import (
    ClipGroups,
    GroupsRecorder,
    draw_groups,
    group_means,
    to_image,
)
from mmatfr.visualization.tradeoffs import (
    draw_calibration,
    draw_pareto,
    draw_tradeoff,
)

# Machado et al. 2009: linear RGB as protanopic and deuteranopic eyes see it.
EYES = (
    np.eye(3),
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
)
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def linear(colours):
    rgb = np.array([to_rgb(colour) for colour in colours])
    return np.where(
        rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4
    )


def lab(rgb):
    xyz = (rgb @ TO_XYZ.T).clip(0) / (0.95047, 1, 1.08883)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [
            116 * f[:, 1] - 16,
            500 * (f[:, 0] - f[:, 1]),
            200 * (f[:, 1] - f[:, 2]),
        ],
        axis=1,
    )


def test_colours_of_32_groups_differ_for_all_eyes():
    rgb = linear(COLOURS)
    seen = [lab((rgb @ np.transpose(eyes)).clip(0, 1)) for eyes in EYES]
    for (i, _), (j, _) in itertools.combinations(enumerate(COLOURS), 2):
        distance = min(np.linalg.norm(view[i] - view[j]) for view in seen)
        assert distance > (15 if j - i <= 3 else 9), (i, j)
    assert len(COLOURS) == 32
    contrast = 1.05 / (rgb @ TO_XYZ[1] + 0.05)
    assert contrast.min() > 2


def inside(figure):
    """Whether all artists are inside the figure."""
    figure.canvas.draw()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    return (
        min(box.x0, box.y0) > -0.01
        and box.x1 < width + 0.01
        and box.y1 < height + 0.01
    )


def test_no_text_is_cut_off():
    names = [f'{"oscillating_" * 2}right_and_left_{i}' for i in range(30)]
    ranked = [
        dict(
            name=name,
            temporal_resolution=0.5,
            temporal_resolution_p5=0.2,
            temporal_resolution_p95=0.9,
        )
        for name in names
    ]
    point = dict(cost=1.0, accuracy=90.0, low=89.0, high=91.0)
    rows = [dict(bins=b, gflops=b / 9, top1=0.9) for b in (2, 4, 8)]
    for figure in (
        draw_class_ranking(ranked),
        draw_tradeoff(
            {f'a rather long name of a row {i}': [point] for i in range(9)},
            'GFLOPs',
            'top-1',
        ),
        draw_calibration(rows, 0.5, 4),
    ):
        assert inside(figure)


def test_legend_leaves_the_tradeoff_its_place():
    point = dict(cost=1.0, accuracy=90.0, low=89.0, high=91.0)
    figure = draw_tradeoff(
        {f'a rather long name of a row {i}': [point] for i in range(9)},
        'GFLOPs',
        'top-1',
    )
    figure.canvas.draw()
    (legend,) = figure.legends
    assert legend.get_window_extent().height < 0.25 * figure.bbox.height


def test_front_of_one_point_is_a_line():
    figure = draw_pareto(
        [dict(name='only', cost=2.0, accuracy=90.0, front=True)], 'x', 'y'
    )
    (axes,) = figure.axes
    (line,) = axes.lines
    assert line.get_xdata()[-1] == axes.get_xlim()[1] > 2
    assert line.get_ydata()[0] == axes.get_ylim()[0] < 90


@pytest.fixture
def clip():
    generator = np.random.default_rng(0)
    return ClipGroups(
        generator.integers(0, 255, (20, 12, 16, 3), dtype=np.uint8),
        np.arange(20) // 2,
        np.arange(20.0),
        np.arange(0, 21, 2.0),
        'a clip',
        np.arange(20) / 25,
    )


@pytest.mark.parametrize('seconds', [True, False])
def test_frames_have_their_time_and_bins_a_legend(clip, seconds):
    if not seconds:
        clip = clip._replace(seconds=None)
    figure = draw_groups([clip])
    (panel,) = figure.subfigs
    strip, _, plot = panel.axes
    texts = [text.get_text() for text in strip.texts]
    assert ('0.76' in texts) == seconds
    assert plot.get_xlabel() == ('time (s)' if seconds else 'frame')
    legend = [text.get_text() for text in plot.get_legend().get_texts()]
    assert len(legend) == 2 and legend[1] == 'edges of the 10 bins'


def test_means_are_those_of_the_frames_of_a_group(clip):
    means = group_means(clip)
    pairs = clip.pictures.reshape(10, 2, 12, 16, 3).astype(float)
    assert (means == np.floor(pairs.mean(axis=1))).all()
    backwards = group_means(clip._replace(group=9 - clip.group))
    assert (backwards == means[::-1]).all()


def test_animation_shows_each_frame_of_each_clip(clip):
    short = clip._replace(
        pictures=clip.pictures[:3], group=clip.group[:3], seconds=None
    )
    with Image.open(io.BytesIO(animate_groups([clip, short]))) as image:
        assert image.n_frames == 23


@pytest.mark.parametrize('to_rgb', [False, True])
@pytest.mark.parametrize('kind', ['Recognizer3D', 'Recognizer2D'])
def test_figure_of_a_red_clip_is_red(kind, to_rgb):
    """Also if the data preprocessor turns BGR into RGB."""
    backbone = dict(type='ATFRX3D', gamma_b=2.25, sgs=dict(stage=1))
    head = dict(type='X3DHead', in_channels=432, num_classes=2)
    if kind == 'Recognizer2D':
        backbone = dict(
            type='ATFRResNetTSM', depth=18, num_segments=4, sgs=dict(stage=1)
        )
        head = dict(
            type='TSMHead', in_channels=512, num_classes=2, num_segments=4
        )
    model = MODELS.build(
        dict(
            type=kind,
            backbone=backbone,
            cls_head=head,
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                to_rgb=to_rgb,
                format_shape='NCTHW' if kind == 'Recognizer3D' else 'NCHW',
            ),
        )
    ).eval()
    frames = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    frames[:, 2 if to_rgb else 0] = 255
    inputs = frames
    if kind == 'Recognizer3D':
        inputs = frames.transpose(0, 1)[None]
    data = model.data_preprocessor(dict(inputs=[inputs], data_samples=[]))
    with GroupsRecorder(model) as recorder, torch.no_grad():
        model(data['inputs'], mode='tensor')
    figure = draw_groups(recorder.groups(0, first_view(model, inputs)))
    image = to_image(figure)
    red = (image == [255, 0, 0]).all(-1)
    assert red.sum() > 10_000
    assert not (image == [0, 0, 255]).all(-1).any()
