"""Figures of the groups of a clip."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from mmatfr.sgs import SGS, Binning, sgs_layers

from .colours import COLOURS

__all__ = [
    'COLUMN',
    'PAGE',
    'ClipGroups',
    'GroupsRecorder',
    'draw_groups',
    'group_means',
    'new_figure',
    'tidy',
    'to_image',
]

COLUMN = 3.4  # inches, the width of a column of a paper
PAGE = 7.2
_PER_ROW = 16  # pictures
_LABELS = 0.31  # inches, for the number above and the time below a picture
_PLOT_HEIGHT = 1.35


def new_figure(width: float, height: float) -> Figure:
    """Creates an empty figure, with a size in inches, without a screen."""
    figure = Figure(figsize=(width, height), layout='constrained', dpi=200)
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes) -> None:
    """Sets the fonts and the frame of axes as in all charts."""
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(labelsize=7)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(8)


def to_image(figure: Figure) -> np.ndarray:
    """Renders a figure, (H, W, 3), uint8, RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class ClipGroups(NamedTuple):
    """The groups of a clip of T frames, with pictures.

    Attributes:
        pictures (np.ndarray): The frames as the network sees them, (T, H, W,
            3), uint8, RGB.
        group (np.ndarray): Number of the group of each frame, (T,), from 0.
        magnitude (np.ndarray, optional): Delta of each frame, (T,); None if
            unknown, as for a deployed file.
        edges (np.ndarray, optional): Edges of the bins, (B + 1,); None if the
            binning has no bins of equal width.
        title (str): Title of the clip.
        seconds (np.ndarray, optional): Time of each frame in the video, (T,);
            None if unknown.
    """

    pictures: np.ndarray
    group: np.ndarray
    magnitude: Optional[np.ndarray] = None
    edges: Optional[np.ndarray] = None
    title: str = ''
    seconds: Optional[np.ndarray] = None

    @property
    def length(self) -> int:
        """int: Temporal resolution B'."""
        return len(np.unique(self.group))


class GroupsRecorder:
    """Records the groups of each view that a recognizer processes.

    A layer stores only its last forward, which is one of several if
    ``max_testing_views`` splits the views of a video into batches.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2.

    Attributes:
        layers (dict[str, SGS]): The layers by name; empty without sampling.

    Examples:
        >>> import torch
        >>> from mmatfr.visualization.figures import GroupsRecorder
        >>> from mmatfr.sgs import SGS
        >>> net = torch.nn.Sequential(SGS(in_channels=4))
        >>> with GroupsRecorder(net) as recorder:
        ...     _, _ = net(torch.rand(2, 4, 6, 3, 3))
        ...     _, _ = net(torch.rand(1, 4, 6, 3, 3))
        >>> recorder.num_views
        3
    """

    def __init__(self, recognizer: nn.Module) -> None:
        self.layers = sgs_layers(recognizer)
        self._seen: Dict[str, List[Tuple[Tensor, Tensor]]] = {
            name: [] for name in self.layers
        }
        self._handles: list = []

    def __enter__(self) -> 'GroupsRecorder':
        self._handles = [
            layer.register_forward_hook(
                lambda layer, args, out, name=name: self._seen[name].extend(
                    zip(layer.groups.index, layer.magnitude, strict=True)
                )
            )
            for name, layer in self.layers.items()
        ]
        return self

    def __exit__(self, *args) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def num_views(self) -> int:
        """int: Number of recorded views; 0 without sampling."""
        return max(map(len, self._seen.values()), default=0)

    def groups(
        self,
        view: int,
        clip: Tensor,
        title: str = '',
        seconds: Optional[np.ndarray] = None,
    ) -> List[ClipGroups]:
        """Returns the groups of a view in every layer.

        Args:
            view (int): Index of the recorded view.
            clip (Tensor): The view as returned by the data loader, (3, T, H,
                W), in [0, 255], RGB.
            title (str): Title of the clip. Defaults to ''.
            seconds (np.ndarray, optional): Time of each frame in the video,
                (T,). Defaults to None, unknown.

        Returns:
            list[ClipGroups]: One entry per layer, with the layer in the title
            if there are several. If a layer has fewer frames than the clip,
            the pictures are those at the same times.
        """
        many = len(self.layers) > 1
        return [
            _clip_groups(
                layer,
                *self._seen[name][view],
                clip,
                ', '.join(filter(None, [title, name])) if many else title,
                seconds,
            )
            for name, layer in self.layers.items()
        ]


def _clip_groups(
    sgs: SGS,
    group: Tensor,
    magnitude: Tensor,
    clip: Tensor,
    title: str,
    seconds: Optional[np.ndarray],
) -> ClipGroups:
    group, magnitude = group.cpu(), magnitude.float().cpu()
    edges = None
    if isinstance(sgs.binning, Binning):
        num_bins = sgs.binning.num_bins or len(magnitude)
        most = magnitude.max().item()
        peak = sgs.binning.peak or most
        # Bins of one width for all clips continue beyond the mean range.
        width = peak / num_bins
        count = max(num_bins, int(np.ceil(most / max(width, 1e-12) - 1e-6)))
        edges = width * np.arange(min(count, 4 * num_bins) + 1)
    times = torch.arange(len(group)) * clip.shape[1] // len(group)
    pictures = clip[:, times].permute(1, 2, 3, 0).clamp(0, 255).byte()
    return ClipGroups(
        pictures.cpu().numpy(),
        (group - group.min()).numpy(),
        magnitude.numpy(),
        edges,
        title,
        None if seconds is None else seconds[times.numpy()],
    )


def group_means(clip: ClipGroups) -> np.ndarray:
    """Averages the pictures of each group.

    Args:
        clip (ClipGroups): The clip, with B' groups.

    Returns:
        np.ndarray: (B', H, W, 3), uint8, in the order of the group numbers.
    """
    return np.stack(
        [
            clip.pictures[clip.group == number].mean(0).astype(np.uint8)
            for number in np.unique(clip.group)
        ]
    )


def draw_groups(clips: Sequence[ClipGroups], width: float = PAGE) -> Figure:
    """Draws the film strips of clips, their groups and their magnitudes.

    Args:
        clips (Sequence[ClipGroups]): The clips, from top to bottom.
        width (float): Width of the figure in inches. Defaults to 7.2, a page.

    Returns:
        Figure: Save it with ``savefig``.
    """
    heights = [
        [
            _strip_height(clip, len(clip.group), width),
            _strip_height(clip, clip.length, width),
        ]
        + ([] if clip.magnitude is None else [_PLOT_HEIGHT])
        for clip in clips
    ]
    totals = [sum(own) + 0.45 for own in heights]
    figure = new_figure(width, sum(totals))
    panels = figure.subfigures(
        len(clips), 1, squeeze=False, hspace=0.04, height_ratios=totals
    )[:, 0]
    for panel, clip, own in zip(panels, clips, heights, strict=True):
        strip, means, *plot = panel.subplots(len(own), 1, height_ratios=own)
        panel.suptitle(
            f'{clip.title}{": " if clip.title else ""}'
            f'{len(clip.group)} frames in {clip.length} '
            f'group{"s" * (clip.length > 1)}',
            fontsize=9,
        )
        columns = min(len(clip.group), _PER_ROW)
        _draw_strip(
            strip,
            clip.pictures,
            clip.group,
            'frames' if clip.seconds is None else 'frames\nat (s)',
            columns,
            clip.seconds,
        )
        _draw_strip(
            means,
            group_means(clip),
            np.unique(clip.group),
            'group\nmeans',
            columns,
        )
        if clip.magnitude is not None:
            _draw_magnitudes(plot[0], clip, clip.magnitude)
    return figure


def _strip_height(clip: ClipGroups, count: int, width: float) -> float:
    """Height in inches of a strip with pictures that fill the width."""
    columns = min(len(clip.group), _PER_ROW)
    high, wide = clip.pictures.shape[1:3]
    picture = min((width - 0.6) / columns * high / wide, 1.2)
    return -(-count // columns) * (picture + _LABELS)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _draw_strip(
    axes: Axes,
    pictures: np.ndarray,
    numbers: np.ndarray,
    label: str,
    columns: int,
    seconds: Optional[np.ndarray] = None,
) -> None:
    high = 0.9 * pictures.shape[1] / pictures.shape[2]
    row_height = high + _LABELS * columns / (PAGE - 0.6)
    rows = -(-len(pictures) // columns)
    for place, (picture, number) in enumerate(
        zip(pictures, numbers, strict=True)
    ):
        row, column = divmod(place, columns)
        left, right = column - 0.45, column + 0.45
        bottom = -row * row_height
        axes.imshow(
            picture, extent=(left, right, bottom, bottom + high), zorder=1
        )
        axes.add_patch(
            Rectangle(
                (left, bottom),
                right - left,
                high,
                fill=False,
                edgecolor=_colour(number),
                linewidth=2.2,
                zorder=2,
            )
        )
        texts = [(bottom + high, 2, 'bottom', str(number + 1), 'bold', 7)]
        if seconds is not None:
            time = f'{seconds[place]:.2f}'
            texts.append((bottom, -2, 'top', time, 'normal', 6))
        for height, offset, side, text, weight, size in texts:
            axes.annotate(
                text,
                (column, height),
                xytext=(0, offset),
                textcoords='offset points',
                ha='center',
                va=side,
                fontsize=size,
                fontweight=weight,
            )
    axes.set_xlim(-0.55, columns - 0.45)
    axes.set_ylim(
        -(rows - 1) * row_height - (row_height - high) / 2,
        high + (row_height - high) / 2,
    )
    axes.set_aspect('equal')
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_ylabel(label, fontsize=8)


def _draw_magnitudes(
    axes: Axes, clip: ClipGroups, magnitude: np.ndarray
) -> None:
    frames = np.arange(1, len(clip.group) + 1)
    places = frames if clip.seconds is None else clip.seconds
    handles = [
        Line2D(
            [],
            [],
            color='0.55',
            linewidth=0.8,
            marker='o',
            markersize=5,
            markerfacecolor='0.85',
            markeredgecolor='black',
            markeredgewidth=0.5,
            label='magnitude of a frame, in the colour of its group',
        )
    ]
    if clip.edges is not None:
        for edge in clip.edges:
            axes.axhline(edge, color='0.8', linewidth=0.6, zorder=0)
        handles.append(
            Line2D(
                [],
                [],
                color='0.8',
                linewidth=1,
                label=f'edges of the {len(clip.edges) - 1} bins',
            )
        )
    axes.plot(places, magnitude, color='0.55', linewidth=0.8, zorder=1)
    axes.scatter(
        places,
        magnitude,
        s=26,
        zorder=2,
        edgecolors='black',
        linewidths=0.5,
        c=[_colour(number) for number in clip.group],
    )
    if clip.seconds is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel('frame' if clip.seconds is None else 'time (s)')
    axes.set_ylabel(r'magnitude $\Delta_t$')
    tidy(axes)
    axes.legend(
        handles=handles,
        fontsize=7,
        frameon=False,
        loc='lower left',
        bbox_to_anchor=(0, 0.98),
        ncols=2,
        borderaxespad=0,
    )
