"""Colours of groups, lines and bars."""

from matplotlib.colors import to_rgb

__all__ = ['COLOURS', 'ink_on']

# The first six are Okabe and Ito's. The others were picked one by one, each as
# far as possible from those before it, and above all from its neighbours, in
# CIELAB, for normal, protanopic and deuteranopic vision. Their contrast to
# white is at least 2.
COLOURS = (
    '#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00',
    '#0000FF', '#62144E', '#0089FF', '#761400', '#89C49D', '#0014B1',
    '#D8B14E', '#893B4E', '#3BC4D8', '#143B89', '#B12700', '#4E62FF',
    '#89B176', '#4E9DEB', '#760027', '#0014D8', '#148989', '#274EB1',
    '#EB3B3B', '#004E76', '#76C4B1', '#009DC4', '#3B3BD8', '#004E3B',
    '#279D4E', '#6276D8',
)  # fmt: skip


def ink_on(colour: str) -> str:
    """Returns the text colour, black or white, that reads best on a colour."""
    red, green, blue = to_rgb(colour)
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    return 'black' if light > 0.5 else 'white'
