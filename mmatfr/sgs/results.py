"""Results of the last forward, per thread."""

import threading
from weakref import WeakKeyDictionary

__all__ = ['LastResults']


class LastResults(threading.local):
    """The last result of modules, seen by the thread that computed it only.

    As an attribute of the module it would be another thread's at times. A
    result lives as long as the module and the thread do.

    Attributes:
        of (WeakKeyDictionary): The result by module.
    """

    def __init__(self) -> None:
        self.of: WeakKeyDictionary = WeakKeyDictionary()
