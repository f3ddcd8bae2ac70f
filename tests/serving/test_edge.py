"""What every request passes first: an id, counts, a line in the log, a span."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

import serving.edge
from serving.edge import Edge, _id_of
from serving.state import State
from tests.serving.called import answers, call, scope

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({b"x-request-id": b"mine"}, "mine"),
        ({b"x-request-id": b"m" * 128}, "m" * 128),
        ({b"x-request-id": b"mine", b"traceparent": b"00-" + TRACE + b"-" + b"0" * 16}, "mine"),
        ({b"x-request-id": b"a b", b"traceparent": b"00-%b-%b-01" % (TRACE, b"0" * 16)}, None),
        ({b"traceparent": b"00-%b-%b-01" % (TRACE, b"0" * 16)}, TRACE.decode()),
    ],
)
def test_a_request_is_called_by_its_own_name(headers: dict[bytes, bytes], name: str | None) -> None:
    assert _id_of(headers) == (TRACE.decode() if name is None else name)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"x-request-id": b"m" * 129},
        {b"x-request-id": b""},
        {b"traceparent": b"00-%b-01" % TRACE},
        {b"traceparent": b"00-%b-%b-01 " % (TRACE, b"0" * 16)},
    ],
)
def test_one_without_a_name_is_given_one(headers: dict[bytes, bytes]) -> None:
    first, second = _id_of(headers), _id_of(headers)
    assert first != second
    assert len(first) == 16
    int(first, 16)


def edge(app: Any, **options: Any) -> tuple[Edge, State]:
    state = State()
    options = {"log_requests": False, "tracing": None} | options
    return Edge(app, state, {"an endpoint": "/route"}, **options), state


def test_an_answer_is_counted_and_carries_the_request_s_name() -> None:
    app, state = edge(answers)
    about = scope(headers=[(b"x-request-id", b"mine")], endpoint="an endpoint")
    start, rest = call(app, about)
    assert start["headers"] == [(b"a", b"b"), (b"x-request-id", b"mine")]
    assert rest["body"] == b"x"
    told = state.metrics.exposition().decode()
    labels = 'endpoint="/route",http_response_code="200"'
    assert f"bentoml_service_request_total{{{labels}}} 1.0" in told
    assert 'bentoml_service_request_duration_seconds_count{endpoint="/route"} 1.0' in told
    assert "bentoml_service_request_in_progress 0.0" in told
    state.leaving = True
    assert call(app, about)[0]["headers"][-1] == (b"connection", b"close")


def test_who_left_before_there_was_an_answer_is_counted_as_gone() -> None:
    async def nothing(about: Any, receive: Any, send: Any) -> None:
        assert about["state"]["headers"] == {b"a": b"b"}
        assert about["state"]["status"] == 0

    app, state = edge(nothing)
    call(app, scope(headers=[(b"a", b"b")]))
    labels = 'endpoint="other",http_response_code="499"'
    told = state.metrics.exposition().decode()
    assert f"bentoml_service_request_total{{{labels}}} 1.0" in told


def test_a_request_is_told_with_its_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    times = iter([10.0, 10.25, 20.0, 20.0625])
    clock = SimpleNamespace(perf_counter=lambda: next(times))
    monkeypatch.setattr(serving.edge, "time", clock)
    caplog.set_level(logging.INFO, "sightline")
    spans: list[Any] = []
    tracing = SimpleNamespace(record=lambda *arguments: spans.append(arguments))
    app, _ = edge(answers, log_requests=True, tracing=tracing)
    asked = scope(headers=[(b"a", b"b")], endpoint="an endpoint", state={"query": "a fox"})
    call(app, asked)
    call(app, scope())
    [first, second] = caplog.records
    told = [
        (each.getMessage(), each.method, each.route, each.status, each.milliseconds)  # type: ignore[attr-defined]
        for each in (first, second)
    ]
    assert told == [
        ("request", "POST", "/route", 200, 250.0),
        ("request", "POST", "other", 200, 62.5),
    ]
    assert first.query == "a fox"  # type: ignore[attr-defined]
    assert not hasattr(second, "query")
    assert spans[0] == (asked, {b"a": b"b"}, "/route", 200, 0.25)
