"""How modules find the clips of the forward that is running.

What a forward knows of its clips belongs to that forward: it is kept in a
context variable, so that threads do not see each other's, and no attribute of
a module changes.

A module finds its clips by its *place*: the number of frames that it is handed
for one long clip, seen once when the network is built. The layout at a place
follows from the one at the start of the route by the windows in between.
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

# Number of frames of the clip that places are seen with: strides and pools
# leave it another number at each place.
PROBE_FRAMES = 256
# Number of frames of the clips with which two ways to a place are compared.
_COMPARED = range(1, 33)
# Places before and after each call of a module.
Places = Mapping[nn.Module, Set[Tuple[int, int]]]


@dataclass(frozen=True)
class Clips:
    """The clips of a batch at the start of a route.

    Attributes:
        layout (Layout): How many frames each has.
        place (int): Where the route starts.
        packed (bool): Whether modules run in their ragged form. A clip alone
            needs none: a 3D module reads its length off the tensor.
    """

    layout: Layout
    place: int
    packed: bool = True
    _known: Dict[int, Layout] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )


@dataclass(frozen=True)
class _Run:
    """What a forward knows; replaced, never changed.

    Attributes:
        clips (Mapping[Route, Clips]): By route; None before its start.
        checkpointed (bool): Whether what runs is checkpointed, so that what
            it saves for its backward pass does not last.
    """

    clips: Mapping['Route', Optional[Clips]] = field(default_factory=dict)
    checkpointed: bool = False


_NO_RUN = _Run()
_RUN: ContextVar[_Run] = ContextVar('mmatfr_run', default=_NO_RUN)


def current_run() -> _Run:
    """Returns what the forward that is running in this thread knows."""
    return _RUN.get()


@contextmanager
def resume_run(run: _Run) -> Iterator[None]:
    """Runs a part of a forward with what the forward knew."""
    token = _RUN.set(run)
    try:
        yield
    finally:
        _RUN.reset(token)


def start_run(*routes: 'Route'):
    """Begins a forward along routes; its clips are forgotten at its end.

    Args:
        *routes (Route): Those of a network, without clips at first.

    Returns:
        ContextManager: The forward runs within.
    """
    run = _RUN.get()
    clips = {**run.clips, **dict.fromkeys(routes)}
    return resume_run(replace(run, clips=clips))


@contextmanager
def watch_places(network: nn.Module) -> Iterator[Places]:
    """Sees how many frames modules are handed and return.

    Args:
        network (nn.Module): It is run within, on one clip.

    Yields:
        Mapping: The number of frames before and after each call of a module.
    """
    places: Dict[nn.Module, Set[Tuple[int, int]]] = {}

    def see(module: nn.Module, args: tuple, out) -> None:
        tensors = (*args[:1], out)
        if len(tensors) == 2 and all(
            isinstance(x, Tensor) and x.dim() > 3 for x in tensors
        ):
            places.setdefault(module, set()).add(
                tuple(x.shape[frame_axis(x)] for x in tensors)
            )

    handles = [
        module.register_forward_hook(see) for module in network.modules()
    ]
    try:
        yield places
    finally:
        for handle in handles:
            handle.remove()


class Route:
    """The way of clips through ragged modules, from where they get unequal.

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
        # From where, and by which module, each place is reached.
        self._steps: Dict[int, Tuple[int, Ragged]] = {}

    @property
    def is_running(self) -> bool:
        """bool: Whether a forward along it runs in this thread."""
        return self in _RUN.get().clips

    @property
    def clips(self) -> Optional[Clips]:
        """Clips | None: Those of the forward that runs in this thread; None
        without one, and before the start."""
        return _RUN.get().clips.get(self)

    def begin(self, clips: Clips) -> None:
        """Runs what follows in this forward on clips.

        Args:
            clips (Clips): At the start of the route, or from a later place on.
        """
        run = _RUN.get()
        _RUN.set(replace(run, clips={**run.clips, self: clips}))

    def layout_of(self, x: Tensor, place: Optional[int]) -> Optional[Layout]:
        """Finds where the clips of a tensor lie.

        Args:
            x (Tensor): What a module was handed.
            place (int, optional): Where the module is; None if it was not
                seen to run.

        Returns:
            Layout | None: None where no clips are packed.

        Raises:
            RuntimeError: If x is not what the clips must be at this place.
        """
        clips = self.clips
        if clips is None or not clips.packed:
            return None
        try:
            layout = self.layout_at(place, clips)
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
                'changes the number of frames unseen'
            )
        return layout

    def layout_at(self, place: int, clips: Clips) -> Layout:
        """Where the clips of a batch lie at a place.

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
        """Number of frames at a place of a clip that has another at the start.

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
            places (Mapping): Where they were seen to run.

        Returns:
            list[str]: Names of those that no known modules lead to.

        Raises:
            ValueError: If a module runs at several places, or one place is
                reached by ways that make different numbers of frames.
        """
        ends = {}
        for name, module in modules.items():
            seen = places.get(module, set())
            if len(seen) > 1:
                raise ValueError(
                    f'`{name}` ({type(module).__name__}) runs on clips of '
                    f'{sorted(n for n, _ in seen)} frames in one forward; '
                    'give each place a module of its own'
                )
            if seen:
                ((module.place, ends[name]),) = seen
        # In the order of the network, not of its registration.
        left = {name: modules[name] for name in ends}
        while True:
            reached = [
                name
                for name, module in left.items()
                if module.place == self.start or module.place in self._steps
            ]
            if not reached:
                return list(left)
            for name in reached:
                self._add(name, left.pop(name), ends[name])

    def _add(self, name: str, module: 'Ragged', end: int) -> None:
        if end != self.start and end not in self._steps:
            self._steps[end] = module.place, module
            return
        for length in _COMPARED:
            try:
                before = self.length_at(module.place, length)
                lengths = (
                    module.output_length(before),
                    self.length_at(end, length),
                )
            except ValueError:  # too short for a window
                continue
            if len(set(lengths)) > 1:
                raise ValueError(
                    f'`{name}` ({type(module).__name__}) makes {lengths[0]} '
                    f'frames of {before}, where another way through the '
                    f'network makes {lengths[1]}; they cannot be told apart, '
                    "set execution='sequential'"
                )
