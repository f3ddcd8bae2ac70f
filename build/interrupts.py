"""Ctrl-C between two steps of a loop, instead of anywhere.

Python raises :class:`KeyboardInterrupt` after whatever instruction of the main thread is
just done.  Where that one has taken a lock which other threads need, as all those of
``concurrent.futures`` do, nobody gives the lock back, and the program waits for ever.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

# As shells have it: 128 and the number of SIGINT.
INTERRUPTED = 130


@contextlib.contextmanager
def held() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back within a block; what is yielded lets it through when called.

    The end of the block lets it through, too.  A second Ctrl-C is not held back.

        >>> with held() as let_through:
        ...     for step in range(3):
        ...         let_through()
    """
    came = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # signals are the main thread's affair
        return
    before = signal.getsignal(signal.SIGINT)

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGINT, before)

    def let_through() -> None:
        if came:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, hold)
    try:
        yield let_through
        let_through()
    finally:
        signal.signal(signal.SIGINT, before)


def leave(code: int) -> NoReturn:
    """End this process; where Ctrl-C has stopped it, without waiting for its threads.

    They would never end where it came while the main thread held a lock. All that is to be
    kept has been written.
    """
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
