"""Stopping without losing an answer."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from serving.state import State

# Answers go on for so long after SIGTERM, each asking its caller to close the connection, and
# new connections are still taken: who routes the traffic needs that time to look elsewhere, and
# a request that is on its way over an open connection does not meet a closed door.
FAREWELL_SECONDS = 1.0
# Who comes within that second is taken, even where the one that was told tells others, and all of
# them have so much to do that connections wait to be accepted: the door closes on those.
_MARGIN = 0.3


def say_farewell_first(state: State, seconds: float = FAREWELL_SECONDS + _MARGIN) -> None:
    """Let whatever SIGTERM does now happen a moment later, and tell the callers until then.

    A second SIGTERM stops at once.  Outside the main thread, where no signal arrives, nothing
    is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    stop = signal.getsignal(signal.SIGTERM)
    if not callable(stop):
        return

    def leave(sig: int, frame: FrameType | None) -> None:
        if state.leaving:
            stop(sig, frame)
            return
        state.leaving = True
        timer = threading.Timer(seconds, stop, (sig, frame))
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, leave)
