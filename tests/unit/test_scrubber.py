"""The thread that checks a bundle: whom it tells, and when it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from models.damage import DamagedError
from models.scrubbing import Scrubbed
from serving.scrubber import Scrubber


def scrubber_of(steps: Iterator[Scrubbed]) -> Scrubber:
    class Some:
        def scrub(self) -> Iterator[Scrubbed]:
            return steps

    bundle: Any = Some()
    return Scrubber(bundle)


def test_damage_that_is_found_is_told_to_who_asked() -> None:
    def steps() -> Iterator[Scrubbed]:
        yield Scrubbed(1, 2)
        # So that nothing waits for it at the end of the process.
        assert threading.current_thread().daemon
        raise DamagedError("items.sqlite is damaged")

    told: list[str] = []
    scrubber = scrubber_of(steps())
    scrubber.start(lambda error: told.append(str(error)))
    scrubber.join()
    assert told == ["items.sqlite is damaged"]


def test_once_stopped_it_goes_no_step_further() -> None:
    going = threading.Event()
    taken: list[int] = []

    def steps() -> Iterator[Scrubbed]:
        for done in (1, 2):
            going.wait(10)
            taken.append(done)
            yield Scrubbed(done, 2)

    scrubber = scrubber_of(steps())
    scrubber.start(lambda error: pytest.fail(str(error)))
    scrubber.stop()
    going.set()
    scrubber.join()
    assert taken == [1]


def test_one_that_was_never_started_is_not_waited_for() -> None:
    scrubber = scrubber_of(iter(()))
    scrubber.stop()
    scrubber.join()
