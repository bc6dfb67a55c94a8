"""Pages that show a clip in motion beside what sampling did to it."""

import base64
import html
import io
from typing import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw

from .colours import COLOURS, ink_on
from .figures import ClipGroups, draw_groups

__all__ = ['animate_groups', 'make_page']

_HEIGHT = 240  # of a frame of the animation, in pixels
_BORDER = 10


def animate_groups(clip: ClipGroups, milliseconds: int = 250) -> bytes:
    """Animates a clip, and beside each frame the mean of its group.

    Args:
        clip (ClipGroups): The clip.
        milliseconds (int): Time that a frame is shown. Defaults to 250.

    Returns:
        bytes: An animated GIF; frames of a group have borders of one colour
        and bear its number.
    """
    images = []
    for picture, number in zip(clip.pictures, clip.group):
        mean = clip.pictures[clip.group == number].mean(0).astype(np.uint8)
        sides = [_framed(side, int(number)) for side in (picture, mean)]
        image = Image.new(
            'RGB', (sum(side.width for side in sides), sides[0].height)
        )
        image.paste(sides[0], (0, 0))
        image.paste(sides[1], (sides[0].width, 0))
        images.append(image)
    file = io.BytesIO()
    images[0].save(
        file,
        format='GIF',
        save_all=True,
        append_images=images[1:],
        duration=milliseconds,
        loop=0,
    )
    return file.getvalue()


def _framed(picture: np.ndarray, number: int) -> Image.Image:
    height, width = picture.shape[:2]
    size = round(width * _HEIGHT / height), _HEIGHT
    border = COLOURS[number % len(COLOURS)]
    colour = tuple(round(255 * part) for part in to_rgb(border))
    framed = Image.new(
        'RGB', (size[0] + 2 * _BORDER, size[1] + 2 * _BORDER), colour
    )
    framed.paste(Image.fromarray(picture).resize(size), (_BORDER, _BORDER))
    draw = ImageDraw.Draw(framed)
    draw.rectangle((_BORDER, _BORDER, _BORDER + 22, _BORDER + 16), fill=colour)
    draw.text((_BORDER + 4, _BORDER + 2), str(number + 1), fill=ink_on(border))
    return framed


def make_page(clips: Sequence[ClipGroups], title: str) -> str:
    """Makes a page that needs no other file.

    Args:
        clips (Sequence[ClipGroups]): The clip as each layer grouped it.
        title (str): What the clip is.

    Returns:
        str: HTML, with the clip in motion and the figure of its groups.
    """
    file = io.BytesIO()
    draw_groups(clips).savefig(file, format='png')
    motion = '\n'.join(
        '<figure><img alt="the clip, and the means of its groups" '
        f'src="{_embed(animate_groups(clip), "image/gif")}">'
        f'<figcaption>{html.escape(clip.title)}: '
        f'left the frames, right the mean of the group that each belongs to: '
        f'{clip.length} groups of {len(clip.group)} frames</figcaption>'
        '</figure>'
        for clip in clips
    )
    title = html.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<title>{title}</title>\n<style>\n'
        'body { font-family: sans-serif; margin: 2em; }\n'
        'main { display: flex; flex-wrap: wrap; gap: 2em; }\n'
        'img { max-width: 100%; }\nfigure { margin: 0 0 1em; }\n'
        f'</style>\n</head>\n<body>\n<h1>{title}</h1>\n<main>\n'
        f'<div>{motion}</div>\n<div><img alt="groups and magnitudes" '
        f'src="{_embed(file.getvalue(), "image/png")}"></div>\n'
        '</main>\n</body>\n</html>\n'
    )


def _embed(content: bytes, kind: str) -> str:
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'
