"""Which engine answers, and when one that does not any more is closed."""

from __future__ import annotations

from typing import Any, cast

import pytest

from serving.engine import Engine
from serving.errors import RequestError
from serving.state import State


class Some:
    """As much of an engine as the state knows of."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def engines() -> tuple[Any, Any]:
    return Some("one"), Some("two")


def test_before_there_is_an_engine_nothing_is_ready() -> None:
    state = State()
    assert not state.ready
    assert state.version is None
    with pytest.raises(RequestError) as refused, state.engine():
        pass
    assert refused.value.status == 503


def test_one_that_nobody_holds_is_closed_when_another_takes_its_place() -> None:
    state, (one, two) = State(), engines()
    state.use(one)
    assert state.ready
    assert state.version == "one"
    state.use(two)
    assert state.version == "two"
    assert (one.closed, two.closed) == (1, 0)


def test_one_that_is_held_is_closed_by_the_last_who_lets_go() -> None:
    state, (one, two) = State(), engines()
    state.use(one)
    with state.engine() as first:
        with state.engine() as second:
            assert first is second is cast(Engine, one)
            state.use(two)
            with state.engine() as third:
                assert third is cast(Engine, two)
            assert one.closed == 0
        assert one.closed == 0
    assert (one.closed, two.closed) == (1, 0)


def test_a_request_that_fails_lets_go_too() -> None:
    state, (one, two) = State(), engines()
    state.use(one)

    def fail() -> None:
        with state.engine():
            state.use(two)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert one.closed == 1


def test_one_that_is_in_use_stays_open_between_requests() -> None:
    state, (one, _) = State(), engines()
    state.use(one)
    for _ in range(2):
        with state.engine():
            pass
    assert one.closed == 0


def test_damage_concerns_the_engine_in_which_it_was_found() -> None:
    state, (one, two) = State(), engines()
    state.use(one)
    state.distrust(one)
    assert not state.ready
    # It answers all the same: who routes the traffic decides.
    with state.engine() as engine:
        assert engine is cast(Engine, one)
    state.use(two)
    assert state.ready


def test_at_the_end_everything_is_closed() -> None:
    state, (one, two) = State(), engines()
    state.use(one)
    transcriber: Any = Some("speech")
    state.transcriber = transcriber
    state.use(two)
    state.close()
    assert (one.closed, two.closed, transcriber.closed) == (1, 1, 1)
    assert not state.ready
    assert state.version is None


def test_one_that_is_held_while_everything_is_closed_is_let_go_of_in_peace() -> None:
    state, (one, _) = State(), engines()
    state.use(one)
    with state.engine() as held:
        state.close()
        assert held is one
    assert one.closed == 1
    assert not state.ready
