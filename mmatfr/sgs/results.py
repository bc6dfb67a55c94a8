"""Results of the last forward, per thread."""

import threading
from weakref import WeakKeyDictionary

__all__ = ['LastResults']


class LastResults(threading.local):
    """The last result of each module, visible only to the thread that made it.

    An attribute of the module could be overwritten by another thread. A result
    lives as long as its module and thread.

    Attributes:
        of (WeakKeyDictionary): Maps a module to its result.
    """

    def __init__(self) -> None:
        self.of: WeakKeyDictionary = WeakKeyDictionary()
