"""The curve of a running training."""

import json
from pathlib import Path
from typing import Dict, List

from matplotlib.ticker import MaxNLocator

from mmatfr.atomic_write import atomic_path
from mmatfr.datasets.tempo import CLASSES
from mmatfr.visualization.colours import COLOURS
from mmatfr.visualization.figures import COLUMN, new_figure, tidy

__all__ = ['describe_epoch', 'draw_curve', 'read_curve']

_BAR = 24  # width in characters


def read_curve(work_dir: Path) -> Dict[str, List[tuple]]:
    """Reads the logs of a training, including interrupted runs.

    Returns:
        dict[str, list[tuple]]: ``loss`` and ``top1`` (in %), each a list of
        (epoch, value).
    """
    losses: Dict[float, List[float]] = {}
    accuracies: Dict[float, float] = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # cut short when the run was interrupted
                continue
            if 'loss' in row:
                losses.setdefault(row['epoch'], []).append(row['loss'])
            elif 'acc/top1' in row:
                accuracies[row['step']] = 100 * row['acc/top1']
    return dict(
        loss=[(e, sum(v) / len(v)) for e, v in sorted(losses.items())],
        top1=sorted(accuracies.items()),
    )


def draw_curve(curve: Dict[str, List[tuple]], epochs: int, path: Path) -> None:
    """Draws the loss and the accuracy over the epochs."""
    figure = new_figure(COLUMN, 3)
    panels = figure.subplots(2, 1, sharex=True)
    chance = 100 / len(CLASSES)
    for axes, name, label, colour in (
        (panels[0], 'loss', 'training loss', COLOURS[0]),
        (panels[1], 'top1', 'top-1, validation (%)', COLOURS[5]),
    ):
        if curve[name]:
            axes.plot(
                *zip(*curve[name], strict=True),
                '-o',
                color=colour,
                markersize=3,
            )
        axes.set_ylabel(label)
        axes.grid(color='0.92', linewidth=0.6)
        tidy(axes)
    panels[1].axhline(
        chance, color='0.5', linewidth=1, linestyle='--', label='chance'
    )
    panels[1].legend(fontsize=7, frameon=False)
    panels[0].set_ylim(bottom=0)
    panels[1].set_ylim(0, 100)
    panels[1].set_xlim(0.5, epochs + 0.5)
    panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[1].set_xlabel('epoch')
    tidy(panels[1])
    with atomic_path(path) as part:
        figure.savefig(part)


def describe_epoch(curve: Dict[str, List[tuple]], epochs: int) -> str:
    """Formats the latest epoch of a curve as a line with a bar."""
    epoch, top1 = curve['top1'][-1]
    loss = dict(curve['loss']).get(epoch, float('nan'))
    bar = '█' * round(_BAR * top1 / 100)
    return (
        f'epoch {epoch:2}/{epochs}  loss {loss:5.2f}  '
        f'top-1 {bar:░<{_BAR}} {top1:5.1f} %'
    )
