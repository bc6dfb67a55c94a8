"""Pages that show clips in motion next to their groups."""

import base64
import html
import io
from typing import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from .colours import COLOURS, ink_on
from .figures import ClipGroups, draw_groups, group_means

__all__ = ['animate_groups', 'make_animated_page']

_HEIGHT = 240  # of a frame of the animation, in pixels
_BORDER = 10
_BAR = 24  # above a frame, for its number and time


def animate_groups(
    clips: Sequence[ClipGroups], milliseconds: int = 250
) -> bytes:
    """Animates clips, with each frame next to the mean of its group.

    Args:
        clips (Sequence[ClipGroups]): The clips, of one layer.
        milliseconds (int): Duration of a frame. Defaults to 250.

    Returns:
        bytes: An animated WebP; the frames of a group have borders of the same
        colour and the number of the group.
    """
    images = []
    for clip in clips:
        means = dict(
            zip(np.unique(clip.group), group_means(clip), strict=True)
        )
        for place, (picture, number) in enumerate(
            zip(clip.pictures, clip.group, strict=True)
        ):
            left = str(number + 1)
            if clip.seconds is not None:
                left += f'   {clip.seconds[place]:.2f} s'
            sides = [
                _framed(picture, number, left),
                _framed(
                    means[number],
                    number,
                    f"{number + 1}   B' = {clip.length} of {len(clip.group)}",
                ),
            ]
            image = Image.new(
                'RGB', (sum(side.width for side in sides), sides[0].height)
            )
            image.paste(sides[0], (0, 0))
            image.paste(sides[1], (sides[0].width, 0))
            images.append(image)
    file = io.BytesIO()
    images[0].save(
        file,
        format='WEBP',
        save_all=True,
        append_images=images[1:],
        duration=milliseconds,
        loop=0,
        quality=75,
        method=0,
    )
    return file.getvalue()


def _framed(picture: np.ndarray, number: int, text: str) -> Image.Image:
    height, width = picture.shape[:2]
    size = round(width * _HEIGHT / height), _HEIGHT
    border = COLOURS[number % len(COLOURS)]
    colour = tuple(round(255 * part) for part in to_rgb(border))
    framed = Image.new(
        'RGB', (size[0] + 2 * _BORDER, size[1] + _BAR + _BORDER), colour
    )
    framed.paste(Image.fromarray(picture).resize(size), (_BORDER, _BAR))
    ImageDraw.Draw(framed).text(
        (_BORDER, 3), text, fill=ink_on(border), font_size=15
    )
    return framed


def make_animated_page(
    layers: Sequence[Sequence[ClipGroups]],
    title: str,
    note: str = '',
    figures: Sequence[Figure] = (),
) -> str:
    """Creates a self-contained HTML page.

    Args:
        layers (Sequence[Sequence[ClipGroups]]): For each layer, the
            consecutive clips with their groups.
        title (str): Title of the page.
        note (str): A paragraph above the clips. Defaults to ''.
        figures (Sequence[Figure]): Figures next to the clips. Defaults to (),
            which draws the groups of all clips.

    Returns:
        str: HTML, with the clips in motion and the figures.
    """
    if not figures:
        figures = [draw_groups([clip for clips in layers for clip in clips])]
    motion = '\n'.join(_show_motion(clips) for clips in layers)
    pictures = '\n'.join(
        f'<div><img alt="figure of the groups" src="{_to_png(figure)}"></div>'
        for figure in figures
    )
    title = html.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<title>{title}</title>\n<style>\n'
        'body { font-family: sans-serif; margin: 2em; }\n'
        'main { max-width: 60em; }\n'
        'img { max-width: 100%; }\nfigure { margin: 0 0 1em; }\n'
        f'</style>\n</head>\n<body>\n<h1>{title}</h1>\n'
        f'<p>{html.escape(note)}</p>\n<main>\n{motion}\n{pictures}\n'
        '</main>\n</body>\n</html>\n'
    )


def _show_motion(clips: Sequence[ClipGroups]) -> str:
    frames = sum(len(clip.group) for clip in clips)
    lengths = [clip.length for clip in clips]
    groups = (
        f'{lengths[0]} groups'
        if len(clips) == 1
        else f'{len(clips)} clips of {min(lengths)} to {max(lengths)} groups'
    )
    return (
        '<figure><img alt="frames, and the means of their groups" '
        f'src="{_embed(animate_groups(clips), "image/webp")}">'
        f'<figcaption>{html.escape(clips[0].title)}: the {frames} frames on '
        'the left, the mean of the group of each on the right; the later '
        f'stages see only these means: {groups}</figcaption></figure>'
    )


def _to_png(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format='png')
    return _embed(file.getvalue(), 'image/png')


def _embed(content: bytes, kind: str) -> str:
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'
