"""Results of the last forward, per thread."""

import threading
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

__all__ = ['LastResults']


Module = TypeVar('Module')
Result = TypeVar('Result')


class LastResults(threading.local, Generic[Module, Result]):
    """The last result of each module, visible only to the thread that made it.

    An attribute of the module could be overwritten by another thread. A result
    lives as long as its module and thread.

    Attributes:
        by_module (WeakKeyDictionary): Maps a module to its result.
    """

    def __init__(self) -> None:
        self.by_module: WeakKeyDictionary[Module, Result] = WeakKeyDictionary()
