"""How modules find the layout of the clips in the current forward.

The layout of the clips belongs to a forward pass. It is stored in a context
variable, so threads do not share it and no attribute of a module changes.

A module finds the layout by its *place*: the number of frames that it receives
for one long clip, recorded when the network is built. The layout at a place
follows from the layout at the start of the route and the windows in between.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import (
    TYPE_CHECKING,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Set,
    Tuple,
)

from torch import Tensor, nn

from .frames import frame_axis
from .layout import Layout

if TYPE_CHECKING:
    from .modules import Ragged

__all__ = [
    'PROBE_FRAMES',
    'Clips',
    'Places',
    'Route',
    'current_run',
    'resume_run',
    'start_run',
    'watch_places',
]

# Number of frames of the clip with which places are recorded. It differs after
# each stride and pool.
PROBE_FRAMES = 256
# Lengths of the clips with which two paths to a place are compared.
_COMPARED = range(1, 33)
# Places before and after each call of a module.
Places = Mapping[nn.Module, Set[Tuple[int, int]]]


@dataclass(frozen=True)
class Clips:
    """The clips of a batch at the start of a route.

    Attributes:
        layout (Layout): Their layout.
        place (int): Where the route starts.
        packed (bool): Whether modules run in their ragged form. A single clip
            does not need it: a 3D module knows its length from the tensor.
    """

    layout: Layout
    place: int
    packed: bool = True
    _known: Dict[int, Layout] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )


@dataclass(frozen=True)
class _Run:
    """The record of a forward; replaced, never changed.

    Attributes:
        clips (Mapping[Route, Clips]): Clips by route; None before its start.
        checkpointed (bool): Whether the current block is checkpointed, so that
            tensors saved for its backward pass are temporary.
    """

    clips: Mapping['Route', Optional[Clips]] = field(default_factory=dict)
    checkpointed: bool = False


_NO_RUN = _Run()
_RUN: ContextVar[_Run] = ContextVar('mmatfr_run', default=_NO_RUN)


def current_run() -> _Run:
    """Returns the record of the forward that runs in this thread."""
    return _RUN.get()


@contextmanager
def resume_run(run: _Run) -> Iterator[None]:
    """Runs a part of a forward with the record of that forward."""
    token = _RUN.set(run)
    try:
        yield
    finally:
        _RUN.reset(token)


def start_run(*routes: 'Route'):
    """Opens the record of a forward along routes, and closes it at the end.

    Args:
        *routes (Route): The routes of a network, without clips at first.

    Returns:
        ContextManager: The context of the forward.
    """
    run = _RUN.get()
    clips = {**run.clips, **dict.fromkeys(routes)}
    return resume_run(replace(run, clips=clips))


@contextmanager
def watch_places(network: nn.Module) -> Iterator[Places]:
    """Records how many frames modules receive and return.

    Args:
        network (nn.Module): The network, to be run on one clip in the context.

    Yields:
        Mapping: The number of frames before and after each call of a module.
    """
    places: Dict[nn.Module, Set[Tuple[int, int]]] = {}

    def record_place(module: nn.Module, args: tuple, out) -> None:
        tensors = (*args[:1], out)
        if len(tensors) == 2 and all(
            isinstance(x, Tensor) and x.dim() > 3 for x in tensors
        ):
            places.setdefault(module, set()).add(
                tuple(x.shape[frame_axis(x)] for x in tensors)
            )

    handles = [
        module.register_forward_hook(record_place)
        for module in network.modules()
    ]
    try:
        yield places
    finally:
        for handle in handles:
            handle.remove()


class Route:
    """The path of clips through ragged modules, from the sampling on.

    Args:
        start (int): The place at which it starts.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from mmatfr.ragged import (
        ...     Clips, Layout, Route, convert_ragged, start_run, watch_places)
        >>> pool = nn.MaxPool3d((2, 1, 1))
        >>> with watch_places(pool) as places:
        ...     _ = pool(torch.rand(1, 4, 64, 5, 5))
        >>> route = Route(start=64)
        >>> _ = convert_ragged(pool, route, places)
        >>> with start_run(route):
        ...     route.begin(Clips(Layout([4, 3]), place=64))
        ...     pool(torch.rand(1, 4, 7, 5, 5)).shape
        torch.Size([1, 4, 3, 5, 5])
    """

    def __init__(self, start: int) -> None:
        self.start = start
        # The previous place and the module that lead to each place.
        self._steps: Dict[int, Tuple[int, Ragged]] = {}

    @property
    def is_running(self) -> bool:
        """bool: Whether a forward along this route runs in this thread."""
        return self in _RUN.get().clips

    @property
    def clips(self) -> Optional[Clips]:
        """Clips | None: Clips of the forward in this thread; None without one,
        and before the start of the route."""
        return _RUN.get().clips.get(self)

    def begin(self, clips: Clips) -> None:
        """Sets the clips for the rest of this forward.

        Args:
            clips (Clips): Clips at the start of the route or at a later place.
        """
        run = _RUN.get()
        _RUN.set(replace(run, clips={**run.clips, self: clips}))

    def layout_of(self, x: Tensor, place: Optional[int]) -> Optional[Layout]:
        """Finds the layout of the clips of a tensor.

        Args:
            x (Tensor): Input of a module.
            place (int, optional): Place of the module; None if it did not run
                when places were recorded.

        Returns:
            Layout | None: The layout; None if no clips are packed.

        Raises:
            RuntimeError: If the shape of x does not match the layout.
        """
        clips = self.clips
        if clips is None or not clips.packed:
            return None
        try:
            layout = None if place is None else self.layout_at(place, clips)
        except KeyError:
            layout = None
        num_frames = x.shape[frame_axis(x)]
        if (x.dim() == 5 and len(x) != 1) or (
            layout is None or num_frames != layout.num_frames
        ):
            expected = '' if layout is None else f' with F={layout.num_frames}'
            raise RuntimeError(
                'expected a packed tensor, (1, C, F, H, W) or (F, C, H, W)'
                f'{expected}, but got {tuple(x.shape)}; a module before it '
                'changes the number of frames without a ragged form'
            )
        return layout

    def layout_at(self, place: int, clips: Clips) -> Layout:
        """Returns the layout of the clips of a batch at a place.

        Raises:
            KeyError: If no ragged modules lead there.
        """
        if place == clips.place:
            return clips.layout
        known = clips._known
        if place not in known:
            before, module = self._steps[place]
            layout = self.layout_at(before, clips)
            known[place] = Layout(
                [module.output_length(n) for n in layout.lengths]
            )
        return known[place]

    def length_at(self, place: int, length: int) -> int:
        """Returns the number of frames of a clip at a place.

        Args:
            place (int): The place.
            length (int): Number of frames at the start of the route.

        Raises:
            KeyError: If no ragged modules lead there.
            ValueError: If the clip is too short for a window in between.
        """
        if place == self.start:
            return length
        before, module = self._steps[place]
        return module.output_length(self.length_at(before, length))

    def extend(
        self, modules: Mapping[str, 'Ragged'], places: Places
    ) -> List[str]:
        """Adds modules that run after the start.

        Args:
            modules (Mapping[str, Ragged]): Modules by name.
            places (Mapping): Places of the modules.

        Returns:
            list[str]: Names of the modules that no known path reaches.

        Raises:
            ValueError: If a module runs at several places, or paths to one
                place give different numbers of frames.
        """
        seen_at: Dict[str, Tuple[int, int]] = {}
        for name, module in modules.items():
            seen = places.get(module, set())
            if len(seen) > 1:
                raise ValueError(
                    f'`{name}` ({type(module).__name__}) runs on clips of '
                    f'{sorted(n for n, _ in seen)} frames in one forward; '
                    'use a separate module at each place'
                )
            if seen:
                (seen_at[name],) = seen
                module.place, _ = seen_at[name]
        # In the order of execution, not of registration.
        left = dict(seen_at)
        while True:
            reached = [
                name
                for name, (place, _) in left.items()
                if place == self.start or place in self._steps
            ]
            if not reached:
                return list(left)
            for name in reached:
                self._add(name, modules[name], *left.pop(name))

    def _add(self, name: str, module: 'Ragged', place: int, end: int) -> None:
        if end != self.start and end not in self._steps:
            self._steps[end] = place, module
            return
        for length in _COMPARED:
            try:
                before = self.length_at(place, length)
                lengths = (
                    module.output_length(before),
                    self.length_at(end, length),
                )
            except ValueError:  # too short for a window
                continue
            if len(set(lengths)) > 1:
                raise ValueError(
                    f'`{name}` ({type(module).__name__}) turns {before} '
                    f'frames into {lengths[0]}, but another path through the '
                    f'network turns them into {lengths[1]}; set '
                    "execution='sequential'"
                )
