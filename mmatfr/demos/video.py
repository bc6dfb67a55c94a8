"""Shows the effect of sampling on a video, clip by clip."""

import os
import re
from pathlib import Path
from typing import List, Sequence

import numpy as np
import torch
from mmaction.models.recognizers import BaseRecognizer
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmatfr.apis import (
    average_views,
    first_view,
    frame_times,
    iter_clips,
)
from mmatfr.apis.config import type_name
from mmatfr.atomic_write import atomic_path, write_text
from mmatfr.cli import make_table, print_table
from mmatfr.cost import ClipRecorder, CostModel
from mmatfr.deploy import load_model
from mmatfr.sgs import sgs_layers
from mmatfr.visualization.animated_page import make_animated_page
from mmatfr.visualization.charts import draw_timeline
from mmatfr.visualization.figures import (
    ClipGroups,
    GroupsRecorder,
    draw_groups,
)

__all__ = ['show_deployed', 'show_recognizer']

_FOREIGN = (
    'note: these weights were trained on generated videos of a moving shape; '
    "their classes mean nothing here and are left out. The groups and B' are "
    'meaningful.'
)
_ROWS = 20  # in the table
_MOVING_CLIPS = 40  # on the page, a few hundred kB each


def show_recognizer(
    model: BaseRecognizer, video: str, out: Path, topk: int = 5
) -> None:
    """Shows the results of a recognizer for a video, clip by clip.

    Args:
        model (BaseRecognizer): The recognizer, with its config as
            ``model.cfg``.
        video (str): A video file.
        out (Path): Path of the figure; the page is written next to it.
        topk (int): Number of classes to print. Defaults to 5.
    """
    foreign = _is_of_tempo(model.cfg) and not _is_tempo_video(video)
    if foreign:
        print(_FOREIGN)
    cost = CostModel(model)
    layers: List[List[ClipGroups]] = [[] for _ in sgs_layers(model)]
    rows, scores = [], []
    for data in iter_clips(model.cfg, video):
        with (
            ClipRecorder(model, cost) as recorder,
            GroupsRecorder(model) as groups,
            torch.no_grad(),
        ):
            sample = model.test_step(pseudo_collate([data]))[0]
            records = recorder.pop_records()
        scores.append(average_views(sample.pred_score.cpu()))
        clip = first_view(model, data['inputs'])
        times = frame_times(data['data_samples'], clip.shape[1])
        seconds = None if times is None else times[0]
        rows.append((seconds, records, cost.gflops(clip.shape)))
        title = f'{Path(video).name}, clip {len(rows)}'
        for own, drawn in zip(
            layers, groups.groups(0, clip, title, seconds), strict=True
        ):
            own.append(drawn)

    if not foreign:
        mean = torch.stack(scores).mean(0)
        top = mean.topk(min(topk, len(mean)))
        _print_classes(
            video,
            _class_names(model, top.indices.tolist()),
            top.values.tolist(),
        )
    _print_clips(rows)
    _save_figure(video, out, layers, _FOREIGN if foreign else '')


def show_deployed(
    path: str, engine: str, video: str, out: Path, topk: int = 5
) -> None:
    """Shows the results of an exported file for the views of a video.

    Args:
        path (str): A file from tools/deployment/export_model.py.
        engine (str): One of :data:`mmatfr.deploy.ENGINES`.
        video (str): A video file.
        out (Path): Path of the figure; the page is written next to it.
        topk (int): Number of classes to print. Defaults to 5.
    """
    model = load_model(path, engine)
    foreign = _names_tempo(model.info.config) and not _is_tempo_video(video)
    views = model.read_views(video)
    result = model(views)
    if foreign:
        print(_FOREIGN)
    else:
        top = result.scores.argsort()[::-1][:topk]
        _print_classes(
            video,
            [model.class_name(label) for label in top],
            result.scores[top].tolist(),
        )
    clips = []
    for pathway, (lengths, groups) in result.by_pathway().items():
        num_frames = groups.shape[1]
        print(
            f"{pathway or 'temporal resolution'} B': {lengths.tolist()} of "
            f'{num_frames} frames, for {len(lengths)} view(s)'
        )
        times = np.arange(num_frames) * model.info.num_frames // num_frames
        title = ', '.join(filter(None, [Path(video).name, pathway]))
        clips.append([ClipGroups(views[0, times], groups[0], title=title)])
    _save_figure(video, out, clips, _FOREIGN if foreign else '')


def _print_classes(
    video: str, names: Sequence[str], scores: Sequence[float]
) -> None:
    table = make_table(os.path.basename(video), ('class', 'score'))
    for name, score in zip(names, scores, strict=True):
        table.add_row(name, f'{score:.3f}')
    print_table(table)


def _class_names(model: BaseRecognizer, labels: Sequence[int]) -> List[str]:
    if model.classes is None or len(model.classes) <= max(labels):
        return [f'class {label}' for label in labels]
    return [model.classes[label] for label in labels]


def _print_clips(rows: Sequence[tuple]) -> None:
    """Prints the temporal resolution and the cost of the clips.

    Args:
        rows (Sequence[tuple]): For each clip, the times of its frames or None,
            its :class:`ClipRecords`, and the GFLOPs with all frames kept.
    """
    table = make_table('clips', ('clip', 'seconds', "B'", 'GFLOPs', 'share'))
    for number, (seconds, records, full) in enumerate(rows[:_ROWS], 1):
        gflops = records.gflops.mean().item()
        table.add_row(
            str(number),
            ''
            if seconds is None
            else f'{seconds[0]:.2f} to {seconds[-1]:.2f}',
            str(records.lengths.tolist()).strip('[]'),
            f'{gflops:.4g}',
            f'{100 * gflops / full:.0f} %',
        )
    print_table(table)
    if len(rows) > _ROWS:
        print(f'and {len(rows) - _ROWS} more clips')
    lengths = torch.cat([records.lengths for _, records, _ in rows])
    # One number, or one for each sampling layer.
    layers = zip(
        lengths.reshape(len(lengths), -1).float().T,
        np.atleast_1d(rows[0][1].num_frames),
        strict=True,
    )
    found = '; '.join(
        f'{own.mean():.1f} ({own.min():.0f} to {own.max():.0f}) of '
        f'{num_frames} frames'
        if len(own) > 1
        else f'{own.item():.0f} of {num_frames} frames'
        for own, num_frames in layers
    )
    spent = sum(records.gflops.sum().item() for _, records, _ in rows)
    full = sum(full * len(records.gflops) for _, records, full in rows)
    print(
        f"temporal resolution B': {found}, for {len(lengths)} "
        f'clip{"s" * (len(lengths) > 1)}\n'
        f'GFLOPs spent: {spent:.4g} of {full:.4g} with all frames kept '
        f'({100 * spent / full:.0f} %; multiply-adds)'
    )


def _save_figure(
    video: str, out: Path, layers: List[List[ClipGroups]], note: str = ''
) -> None:
    """Writes the figure and the page.

    Args:
        video (str): The video file.
        out (Path): Path of the figure; the page has the same name.
        layers (list[list[ClipGroups]]): For each layer, the clips with their
            groups.
        note (str): First paragraph of the page. Defaults to ''.
    """
    if not layers:
        print('nothing samples here: no figure to draw')
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    shown, figures = [], []
    for clips in layers:
        ends = [min(clips, key=_length), max(clips, key=_length)]
        shown += ends if len(clips) > 1 else clips
        edges = [
            (clip.seconds[0], clip.seconds[-1])
            for clip in clips
            if clip.seconds is not None
        ]
        if len(edges) == len(clips) > 1:
            figures.append(
                draw_timeline(
                    edges,
                    [clip.length for clip in clips],
                    len(clips[0].group),
                )
            )
    figures.append(draw_groups(shown))
    with atomic_path(out) as part:
        figures[-1].savefig(part)
    moving = [clips[:_MOVING_CLIPS] for clips in layers]
    if len(layers[0]) > _MOVING_CLIPS:
        note += f' The first {_MOVING_CLIPS} clips are in motion.'
    page = out.with_suffix('.html')
    write_text(
        page, make_animated_page(moving, Path(video).name, note, figures)
    )
    which = (
        'the clips with the fewest and the most groups'
        if len(shown) > len(layers)
        else 'the clip'
    )
    print(f'figure of {which}: {out}\nall in motion: {page}')


def _length(clip: ClipGroups) -> int:
    return clip.length


def _is_of_tempo(cfg: Config) -> bool:
    """Returns whether a config trains on the generated videos of tempo."""
    loader = cfg.get('train_dataloader') or cfg.get('test_dataloader') or {}
    dataset = loader.get('dataset', {})
    metrics = cfg.get('test_evaluator') or []
    metrics = metrics if isinstance(metrics, list) else [metrics]
    return _names_tempo(str(dataset.get('data_root'))) or any(
        type_name(metric) == 'TempoMetric' for metric in metrics
    )


def _names_tempo(name: str) -> bool:
    """Returns whether a config or a folder is named after tempo."""
    return re.search(r'(^|[_/-])tempo([_/-]|$)', name) is not None


def _is_tempo_video(video: str) -> bool:
    """Returns whether a video belongs to a data set of tempo."""
    return any(
        (folder / 'tempo.json').is_file()
        for folder in Path(video).resolve().parents
    )
