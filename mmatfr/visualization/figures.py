"""Figures of what sampling does to a clip."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from mmatfr.sgs import SGS, sgs_layers

__all__ = [
    'COLOURS',
    'ClipGroups',
    'GroupsRecorder',
    'draw_groups',
    'new_figure',
    'to_image',
]

# Okabe and Ito's colours, told apart by colour-blind eyes; black is left out.
COLOURS = (
    '#0072B2',
    '#E69F00',
    '#009E73',
    '#CC79A7',
    '#56B4E9',
    '#D55E00',
    '#F0E442',
)
_STRIP_HEIGHT = 0.62  # inches, of one row of pictures
_PLOT_HEIGHT = 1.15


def new_figure(width: float, height: float) -> Figure:
    """Makes an empty figure of a size in inches, on no screen."""
    figure = Figure(figsize=(width, height), layout='constrained', dpi=200)
    FigureCanvasAgg(figure)
    return figure


def to_image(figure: Figure) -> np.ndarray:
    """Renders a figure, (H, W, 3), uint8, RGB."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


class ClipGroups(NamedTuple):
    """What sampling did to a clip of T frames.

    Attributes:
        pictures (np.ndarray): What the network saw of each frame,
            (T, H, W, 3), uint8, RGB.
        group (np.ndarray): Number of the group of each frame, (T,), from 0.
        magnitude (np.ndarray, optional): Delta of each frame, (T,); None
            where it is not known, as of a deployed file.
        edges (np.ndarray, optional): Edges of the bins, (B + 1,); None if the
            binning has no bins of equal width.
        title (str): What the clip is.
    """

    pictures: np.ndarray
    group: np.ndarray
    magnitude: Optional[np.ndarray] = None
    edges: Optional[np.ndarray] = None
    title: str = ''

    @property
    def length(self) -> int:
        """int: Temporal resolution B'."""
        return len(np.unique(self.group))


class GroupsRecorder:
    """Watches what the layers of a recognizer do to each view that it sees.

    A layer knows its last forward alone, which is one of several where
    ``max_testing_views`` cuts the views of a video into batches.

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
        """int: Number of views seen; 0 without sampling."""
        return max(map(len, self._seen.values()), default=0)

    def groups(
        self, view: int, clip: Tensor, title: str = ''
    ) -> List[ClipGroups]:
        """Tells what every layer did to a view.

        Args:
            view (int): Which of the views seen, in their order.
            clip (Tensor): The view as the data loader gives it, (3, T, H, W),
                in [0, 255], RGB.
            title (str): What the clip is. Defaults to ''.

        Returns:
            list[ClipGroups]: One for each layer, named in the title where
            there are several. Where the frames of the layer are fewer than
            those of the clip, the pictures are those at the same times.
        """
        many = len(self.layers) > 1
        return [
            _clip_groups(
                layer,
                *self._seen[name][view],
                clip,
                ', '.join(filter(None, [title, name])) if many else title,
            )
            for name, layer in self.layers.items()
        ]


def _clip_groups(
    sgs: SGS, group: Tensor, magnitude: Tensor, clip: Tensor, title: str
) -> ClipGroups:
    group, magnitude = group.cpu(), magnitude.float().cpu()
    options = getattr(sgs.binning, 'keywords', {})
    edges = None
    if 'num_bins' in options:
        num_bins = options['num_bins'] or len(magnitude)
        most = magnitude.max().item()
        peak = options.get('peak') or most
        # Bins of one width for all clips go on beyond the mean range.
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
    )


def draw_groups(clips: Sequence[ClipGroups], width: float = 7.2) -> Figure:
    """Draws the film strips of clips, their groups and their magnitudes.

    Args:
        clips (Sequence[ClipGroups]): The clips, one above the other.
        width (float): Width of the figure in inches. Defaults to 7.2, a page.

    Returns:
        Figure: Save it with ``savefig``.
    """
    heights = [
        [_STRIP_HEIGHT, _STRIP_HEIGHT]
        + ([] if clip.magnitude is None else [_PLOT_HEIGHT])
        for clip in clips
    ]
    totals = [sum(own) + 0.5 for own in heights]
    figure = new_figure(width, sum(totals))
    panels = figure.subfigures(
        len(clips), 1, squeeze=False, hspace=0.04, height_ratios=totals
    )[:, 0]
    for panel, clip, own in zip(panels, clips, heights):
        strip, means, *plot = panel.subplots(len(own), 1, height_ratios=own)
        panel.suptitle(
            f'{clip.title}{": " if clip.title else ""}'
            f'{clip.length} groups of {len(clip.group)} frames',
            fontsize=9,
        )
        _draw_strip(strip, clip.pictures, clip.group, 'frames')
        numbers = np.unique(clip.group)
        _draw_strip(
            means,
            np.stack(
                [
                    clip.pictures[clip.group == number]
                    .mean(0)
                    .astype(np.uint8)
                    for number in numbers
                ]
            ),
            numbers,
            'group\nmeans',
            slots=len(clip.group),
        )
        if plot:
            _draw_magnitudes(*plot, clip)
    return figure


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _draw_strip(
    axes: Axes,
    pictures: np.ndarray,
    numbers: np.ndarray,
    label: str,
    slots: Optional[int] = None,
) -> None:
    height, width = pictures.shape[1:3]
    for place, (picture, number) in enumerate(zip(pictures, numbers)):
        left, right = place - 0.45, place + 0.45
        top = 0.9 * height / width
        axes.imshow(picture, extent=(left, right, 0, top), zorder=1)
        axes.add_patch(_frame(left, right, top, _colour(number)))
        axes.annotate(
            str(number + 1),
            (place, top),
            xytext=(0, 2),
            textcoords='offset points',
            ha='center',
            fontsize=7,
            fontweight='bold',
        )
    axes.set_xlim(-0.6, (slots or len(pictures)) - 0.4)
    axes.set_ylim(-0.05, 1.2 * height / width)
    axes.set_aspect('equal')
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_ylabel(label, fontsize=8)


def _frame(left: float, right: float, top: float, colour: str):
    from matplotlib.patches import Rectangle

    return Rectangle(
        (left, 0),
        right - left,
        top,
        fill=False,
        edgecolor=colour,
        linewidth=2.2,
        zorder=2,
    )


def _draw_magnitudes(axes: Axes, clip: ClipGroups) -> None:
    frames = np.arange(1, len(clip.group) + 1)
    if clip.edges is not None:
        for edge in clip.edges:
            axes.axhline(edge, color='0.85', linewidth=0.6, zorder=0)
    axes.plot(frames, clip.magnitude, color='0.55', linewidth=0.8, zorder=1)
    axes.scatter(
        frames,
        clip.magnitude,
        s=26,
        zorder=2,
        edgecolors='black',
        linewidths=0.5,
        c=[_colour(number) for number in clip.group],
    )
    axes.set_xlim(0.4, len(frames) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel('frame', fontsize=8)
    axes.set_ylabel(r'magnitude $\Delta_t$', fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[['top', 'right']].set_visible(False)
