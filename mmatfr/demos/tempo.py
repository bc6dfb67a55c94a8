"""Runs recognizers on the test videos of tempo and draws groups."""

import csv
import time
from pathlib import Path
from typing import Dict, List

import torch
from mmaction.models.recognizers import BaseRecognizer

from mmatfr.apis import first_view, frame_times, read_batch, read_clips
from mmatfr.atomic_write import atomic_path
from mmatfr.cli import make_progress, make_table, print_table
from mmatfr.cost import ClipRecorder
from mmatfr.visualization.figures import GroupsRecorder, draw_groups
from mmatfr.zoo.models import create_model, list_models

__all__ = ['draw_slow_and_fast', 'read_test_list', 'show_released']

_BATCH = 12


def show_released(folder: str, name: str, path: Path) -> None:
    """Prints the results of the released networks and draws groups of one.

    Args:
        folder (str): Folder of a data set of tempo.
        name (str): Name of the network for the figure.
        path (Path): Path of the figure.
    """
    names = list_models('*_tempo-small-rgb', released=True)
    table = make_table(
        f'released weights on {len(read_test_list(folder))} test videos',
        ('network', 'top-1 %', "B'/T", 'GFLOPs', 'ms/clip'),
    )
    with make_progress() as progress:
        for network in progress.track(names, description='test'):
            for title, model in _load_pairs(network).items():
                found = _test(model, folder)
                table.add_row(
                    title,
                    f'{100 * found["top1"]:.1f}',
                    f'{found["resolution"]:.2f}',
                    f'{found["gflops"]:.4f}',
                    f'{1e3 * found["seconds"]:.2f}',
                )
    print_table(table)
    draw_slow_and_fast(
        create_model(name, checkpoint='released'),
        path,
        folder,
    )
    print(
        'Both rows of a network have the same weights, which were trained '
        'with sampling.\n'
        f'which frames of a slow and of a fast clip were grouped: {path}'
    )


def read_test_list(folder: str) -> List[dict]:
    """Reads the table of the test videos of tempo."""
    with open(f'{folder}/test.csv', newline='') as file:
        return list(csv.DictReader(file))


def _load_pairs(name: str) -> Dict[str, BaseRecognizer]:
    """Loads released weights into the network with and without sampling."""
    sampled = create_model(name, checkpoint='released')
    plain = create_model(name, checkpoint='released', backbone=dict(sgs=None))
    title = name.split('-atfr')[0]
    return {f'{title}, all frames': plain, f'{title}, sampled': sampled}


def _test(model: BaseRecognizer, folder: str) -> Dict[str, float]:
    """Tests a recognizer on the test split.

    Returns:
        dict[str, float]: ``top1`` in [0, 1], means of ``resolution`` (B'/T)
        and ``gflops``, and ``seconds`` per clip, without decoding.
    """
    names = [line.strip() for line in open(f'{folder}/classes.txt')]
    rows = read_test_list(folder)
    hits, shares, gflops, seconds = 0, [], [], 0.0
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        clips = read_batch(
            model, [f'{folder}/videos/{row["filename"]}' for row in part]
        )
        with ClipRecorder(model) as recorder, torch.no_grad():
            began = time.perf_counter()
            scores = model(clips, mode='tensor', stage='head')
            seconds += time.perf_counter() - began
            records = recorder.pop_records()
        if isinstance(scores, tuple):
            scores = scores[0]
        for guess, row in zip(scores.argmax(1).tolist(), part, strict=True):
            hits += names[guess] == row['class']
        shares.append(records.resolution)
        gflops.append(records.gflops)
    return dict(
        top1=hits / len(rows),
        resolution=torch.cat(shares).mean().item(),
        gflops=torch.cat(gflops).mean().item(),
        seconds=seconds / len(rows),
    )


def draw_slow_and_fast(model: BaseRecognizer, path: Path, folder: str) -> None:
    """Draws the groups of the slowest and the fastest test action."""
    rows = sorted(read_test_list(folder), key=lambda row: int(row['length']))
    drawn = []
    for kind, row in (('slow', rows[-1]), ('fast', rows[0])):
        data = read_clips(model.cfg, f'{folder}/videos/{row["filename"]}')
        with GroupsRecorder(model) as recorder, torch.no_grad():
            model.test_step(
                dict(
                    inputs=[data['inputs']],
                    data_samples=[data['data_samples']],
                )
            )
        title = (
            f'{kind} {row["class"]}, action in video frames '
            f'{row["start"]} to '
            f'{int(row["start"]) + int(row["length"]) - 1} of 0 to 31'
        )
        clip = first_view(model, data['inputs'])
        times = frame_times(data['data_samples'], clip.shape[1])
        drawn += recorder.groups(
            0, clip, title, None if times is None else times[0]
        )
    with atomic_path(path) as part:
        draw_groups(drawn).savefig(part)
