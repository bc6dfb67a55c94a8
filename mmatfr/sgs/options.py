"""Options of the layer and checks of their values."""

import difflib
from dataclasses import dataclass, fields, replace
from typing import Any, Iterable, Mapping, Optional, Sequence, Tuple, Union

from .grouping import KERNELS, ORDERS
from .presets import PRESETS
from .similarity import Similarity, get_similarity

__all__ = [
    'BIN_RANGES',
    'EMBEDDINGS',
    'LayerOptions',
    'check_choice',
    'check_flag',
    'check_integer',
    'check_names',
]

BIN_RANGES = ('clip', 'data')
EMBEDDINGS = ('mlp_bn', 'identity')


def check_names(option: str, given: Any, known: Iterable[str]) -> None:
    """Checks that the names of options are known.

    Args:
        option (str): Name of the mapping, for the message.
        given (Any): The given options, a mapping.
        known (Iterable[str]): The known names.

    Raises:
        ValueError: If ``given`` is not a mapping, or a name is unknown.
    """
    known = sorted(known)
    if not isinstance(given, Mapping):
        raise ValueError(
            f'{option}={given!r} must be a dict of options, or None for no '
            f'sampling; the options are {known}'
        )
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            raise ValueError(
                f'{option}.{name}={given[name]!r} is unknown'
                + (f'; is it {option}.{close[0]}?' if close else '')
                + f'; choose from {known}'
            )


def check_choice(option: str, value: Any, choices: Sequence[str]) -> None:
    """Checks that a value is one of several choices.

    Raises:
        ValueError: If it is another.
    """
    if value not in choices:
        raise ValueError(
            f'{option}={value!r} is unknown; choose one of {list(choices)}'
        )


def check_flag(option: str, value: Any, unset: bool = False) -> None:
    """Checks that a value is True or False.

    Args:
        option (str): Its name.
        value (Any): The value.
        unset (bool): Whether None stands for a default. Defaults to False.

    Raises:
        ValueError: If it is another.
    """
    if not (isinstance(value, bool) or (unset and value is None)):
        raise ValueError(
            f'{option}={value!r} must be True or False'
            + (', or None for the default' if unset else '')
        )


def check_integer(
    option: str, value: Any, least: int = 1, unset: bool = False
) -> None:
    """Checks that a value is an integer of at least ``least``.

    Args:
        option (str): Its name.
        value (Any): The value.
        least (int): 1 or 0. Defaults to 1.
        unset (bool): Whether None stands for a default. Defaults to False.

    Raises:
        ValueError: If it is another.
    """
    if unset and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        kind = 'positive' if least else 'non-negative'
        raise ValueError(f'{option}={value!r} must be a {kind} integer')


@dataclass(frozen=True)
class LayerOptions:
    """Options of :class:`SGS`. The defaults are the paper's.

    From feature maps to similarity vectors:

    Args:
        embedding (str): Similarity vectors from pooled features: 'mlp_bn'
            (paper), or 'identity', the pooled features themselves, without
            parameters. Defaults to 'mlp_bn'.
        similarity_channels (int, optional): Dimension D of the similarity
            vectors of the MLP. Defaults to None, which means 8.
        grid (int): Features are pooled over the cells of a grid x grid
            division of the map. 1 is the global average (paper), which hides
            positions and therefore motion. Defaults to 1.
        border (int | str): Number of frames at each end of a clip that take
            the magnitude of the nearest interior frame. The zero padding of
            temporal convolutions before the layer sets these frames apart as
            if they moved. A clip that is too short has a shorter border, which
            leaves one or two interior frames. 'auto' is the number of frames
            affected by the padding of the stem, 0 for a layer without a
            backbone. Defaults to 0.
        border_groups (bool): Whether these frames are kept as separate groups.
            Their maps differ from the others, and the later layers rely on
            them; averaging them with other frames costs accuracy. Defaults to
            False.
        magnitude_grad (bool): Whether a gradient flows back through the
            magnitudes. Defaults to True.

    From similarity vectors to magnitudes:

    Args:
        similarity (str | Callable): Magnitude of a frame. 'norm' (paper);
            'l2', 'l1' or 'cosine', the distance to the mean vector of the clip
            (authors' code); 'path' or 'path_squared', the length of the path
            of Z up to the frame, which gives contiguous groups in the order of
            time; 'learned_path', the path over predicted steps
            (:class:`LearnedPath`); or a function or module from (N, T, D) to
            (N, T). Defaults to 'norm'.

    From magnitudes to groups:

    Args:
        num_bins (int, optional): Number of bins B. Defaults to None, which
            means the number of frames T.
        bin_range (str): Range that is divided into B bins. 'clip' (paper):
            from 0 to the largest magnitude of the clip, which spreads even a
            nearly still clip over all bins. 'data': from 0 to the running mean
            of the largest magnitudes in training. Bins then have the same
            width for all clips: a clip with less change uses fewer bins, and
            one with more continues into further ones. Before the first
            training batch 'data' acts like 'clip'. Defaults to 'clip'.
        kernel (str): Weight of a frame in its group: 'delta' (paper) is 1,
            'linear' falls from 1 at the centre of the bin to 0 at its edges.
            'linear' is batch-invariant only within a bound: its slope
            multiplies the rounding of a magnitude by up to 2 B. Noise of 1e-7
            of each feature moves the outputs by up to 5e-2 of the largest
            feature, and by less than 1e-6 with 'delta'. Defaults to 'delta'.
        normalize (bool, optional): Whether weights are divided by the number
            of frames in the group. Defaults to None: True for 'delta', False
            for 'linear'.
        contiguous (bool): Whether a group consists of neighbouring frames
            only. Defaults to False.
        order (str): Order of the groups of a clip: 'magnitude' (paper) or
            'time', by the mean frame index. Defaults to 'magnitude'.

    Raises:
        ValueError: If a value is unknown, or two options exclude each other.
    """

    embedding: str = 'mlp_bn'
    similarity_channels: Optional[int] = None
    grid: int = 1
    border: Union[int, str] = 0
    border_groups: bool = False
    magnitude_grad: bool = True

    similarity: Union[str, Similarity] = 'norm'

    num_bins: Optional[int] = None
    bin_range: str = 'clip'
    kernel: str = 'delta'
    normalize: Optional[bool] = None
    contiguous: bool = False
    order: str = 'magnitude'

    def __post_init__(self) -> None:
        check_choice('embedding', self.embedding, EMBEDDINGS)
        check_integer(
            'similarity_channels', self.similarity_channels, unset=True
        )
        check_integer('grid', self.grid)
        if self.border != 'auto':
            check_integer('border', self.border, least=0)
        check_flag('border_groups', self.border_groups)
        check_flag('magnitude_grad', self.magnitude_grad)
        if self.similarity != 'learned_path':
            get_similarity(self.similarity)
        check_integer('num_bins', self.num_bins, unset=True)
        check_choice('bin_range', self.bin_range, BIN_RANGES)
        check_choice('kernel', self.kernel, KERNELS)
        check_flag('normalize', self.normalize, unset=True)
        check_flag('contiguous', self.contiguous)
        check_choice('order', self.order, ORDERS)
        if self.border_groups and self.border == 0:
            raise ValueError(
                'border_groups=True has no effect with border=0; set border '
                'to the number of frames at each end'
            )
        if self.embedding == 'identity':
            if self.similarity_channels is not None:
                raise ValueError(
                    f'similarity_channels={self.similarity_channels!r} has no '
                    "effect with embedding='identity', which uses the "
                    'pooled features directly; leave one of them out'
                )
        elif self.similarity == 'learned_path':
            raise ValueError(
                "similarity='learned_path' has a head for the pooled "
                f'features, so embedding={self.embedding!r} does not apply; '
                "set embedding='identity'"
            )
        elif not self.magnitude_grad:
            raise ValueError(
                'magnitude_grad=False would leave the weights of '
                f'embedding={self.embedding!r} without a gradient; '
                "set embedding='identity'"
            )

    @classmethod
    def names(cls) -> Tuple[str, ...]:
        """Returns the names of all options, including the preset."""
        return ('preset', *(field.name for field in fields(cls)))

    @classmethod
    def from_preset(cls, preset: str = 'paper', **options) -> 'LayerOptions':
        """Overrides options of a preset.

        Args:
            preset (str): A key of :data:`PRESETS`. Defaults to 'paper'.
            **options: Options that differ from the preset.

        Returns:
            LayerOptions: All options.

        Raises:
            ValueError: If there is no such preset, or an option is unknown.
        """
        check_choice('preset', preset, [*PRESETS])
        check_names('sgs', options, cls.names())
        if options.get('border') == 0:  # no border frames to keep
            options.setdefault('border_groups', False)
        return cls(**{**PRESETS[preset], **options})

    def with_border(self, border: int) -> 'LayerOptions':
        """Replaces ``border='auto'`` by a number of frames.

        Args:
            border (int): Number of frames at each end.

        Returns:
            LayerOptions: The options; ``border_groups`` is False if there are
                no border frames.
        """
        return replace(
            self,
            border=border,
            border_groups=self.border_groups and border > 0,
        )
