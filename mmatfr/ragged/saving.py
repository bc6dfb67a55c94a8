"""Control over the tensors that autograd saves for the backward pass."""

from contextlib import contextmanager
from typing import Callable, Iterator, NamedTuple, Tuple, Union

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

__all__ = ['build_again']


class _View(NamedTuple):
    """Geometry of a tensor in its storage."""

    size: Tuple[int, ...]
    stride: Tuple[int, ...]
    offset: int


@contextmanager
def build_again(
    made: Tensor, source: Tensor, build: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """Saves the source of a tensor instead of the tensor.

    If a module in this context saves ``made``, or a view of it, for its
    backward pass, ``source`` is saved in its place, and ``made`` is rebuilt
    when needed. This reduces memory if another module saves the source anyway.

    Args:
        made (Tensor): A copy of the source in another layout.
        source (Tensor): The tensor from which it was made.
        build (Callable): Deterministic function from the source to ``made``.

    Raises:
        RuntimeError: In the backward pass, if the source has been changed in
            place.
    """
    storage = made.untyped_storage().data_ptr()
    source = source.detach()
    version = source._version

    def save(x: Tensor) -> Union[Tensor, _View]:
        if x.untyped_storage().data_ptr() != storage:
            return x
        return _View(x.shape, x.stride(), int(x.storage_offset()))

    def load(saved: Union[Tensor, _View]) -> Tensor:
        if isinstance(saved, Tensor):
            return saved
        if source._version != version:
            raise RuntimeError(
                'one of the variables needed for gradient computation has '
                f'been modified by an inplace operation: {tuple(source.shape)}'
                f', at version {source._version}, expected version {version}; '
                'make the module that changes its input return a new tensor'
            )
        return build(source).as_strided(*saved)

    with saved_tensors_hooks(save, load):
        yield
