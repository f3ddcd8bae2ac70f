"""What a service does between being told to stop and stopping."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

import pytest

from serving.leaving import FAREWELL_SECONDS, say_farewell_first
from serving.state import State


@pytest.fixture
def stopped() -> Iterator[list[tuple[int, bool]]]:
    """The signals that a server was stopped with, and whether it was told where it was."""
    before = signal.getsignal(signal.SIGTERM)
    heard: list[tuple[int, bool]] = []

    def stop(sig: int, frame: FrameType | None) -> None:
        heard.append((sig, frame is not None))

    signal.signal(signal.SIGTERM, stop)
    yield heard
    signal.signal(signal.SIGTERM, before)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    # By when Python has called the handler.
    time.sleep(0.01)


def test_callers_are_told_first_and_a_second_signal_does_not_wait(
    stopped: list[tuple[int, bool]],
) -> None:
    state = State()
    say_farewell_first(state, seconds=60)
    assert not state.leaving
    terminate()
    assert state.leaving
    assert stopped == []
    # The timer that waits does not keep the process.
    [timer] = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    assert timer.daemon
    assert timer.interval == 60
    timer.cancel()
    terminate()
    assert stopped == [(signal.SIGTERM, True)]


def test_after_a_moment_it_stops_by_itself(stopped: list[tuple[int, bool]]) -> None:
    assert FAREWELL_SECONDS == 1
    say_farewell_first(State(), seconds=0.02)
    terminate()
    for _ in range(500):
        if stopped:
            break
        time.sleep(0.01)
    assert stopped == [(signal.SIGTERM, True)]


def test_where_no_signal_arrives_nothing_is_changed(stopped: list[tuple[int, bool]]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    elsewhere = threading.Thread(target=say_farewell_first, args=(State(),))
    elsewhere.start()
    elsewhere.join()
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_nothing_listens_nothing_is_changed(stopped: list[tuple[int, bool]]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    say_farewell_first(State())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
