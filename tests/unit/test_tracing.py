"""The spans that are written of a request, and where they go."""

from __future__ import annotations

import time
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from serving import tracing
from serving.timing import STEPS, Timing
from serving.tracing import TIMING, Tracing, exporter

TIMES = Timing(filter=0.01, tokenize=0.02, queue=0.03, encode=0.04, search=0.05, lookup=0.06)


def recorded(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The spans of a request of 1.5 seconds that ended at the tenth second."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(time, "time_ns", lambda: 10 * 10**9)
    headers = {b"traceparent": b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01", b"x": b"\xff"}
    scope = {"method": "POST", "state": state}
    Tracing(provider).record(scope, headers, "/search", 429, 1.5)
    return list(spans.get_finished_spans())


def test_a_request_has_a_span_with_what_the_conventions_ask_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [span] = recorded({}, monkeypatch)
    assert span.name == "POST /search"
    assert span.kind == SpanKind.SERVER
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "http.route": "/search",
        "http.response.status_code": 429,
    }
    assert (span.start_time, span.end_time) == (8_500_000_000, 10_000_000_000)
    assert span.context.trace_id == int("ab" * 16, 16)
    assert span.parent.span_id == int("cd" * 8, 16)
    assert span.instrumentation_scope.name == "sightline"


def test_its_steps_follow_each_other_up_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    *steps, request = recorded({TIMING: TIMES}, monkeypatch)
    assert [step.name for step in steps] == list(STEPS)
    at = 10 * 10**9 - 210_000_000
    for number, step in enumerate(steps, start=1):
        assert step.parent.span_id == request.context.span_id
        assert step.start_time == pytest.approx(at, abs=10)
        at += number * 10_000_000
        assert step.end_time == pytest.approx(at, abs=10)
    assert at == 10 * 10**9


class Exporter:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def export(self, spans: Any) -> None:
        self.spans += spans

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "name"), [({}, "sightline"), ({"OTEL_SERVICE_NAME": "photos"}, "photos")]
)
def test_what_is_here_is_sent_at_the_end_under_the_service_s_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    made: list[Exporter] = []

    class Entry:
        def load(self) -> Any:
            def make() -> Exporter:
                made.append(Exporter())
                return made[-1]

            return make

    def found(*, group: str, name: str) -> list[Entry]:
        return {("opentelemetry_traces_exporter", "mine"): [Entry()]}[group, name]

    monkeypatch.setattr(tracing, "entry_points", found)
    writes = Tracing.from_environment({"OTEL_TRACES_EXPORTER": "mine"} | variables)
    assert writes is not None
    writes.record({"method": "GET", "state": {}}, {}, "/livez", 200, 0.1)
    assert made[0].spans == []
    writes.close()
    [span] = made[0].spans
    assert span.name == "GET /livez"
    assert span.resource.attributes["service.name"] == name


def test_nothing_is_written_where_nobody_reads() -> None:
    assert Tracing.from_environment({}) is None
    with pytest.raises(SystemExit) as ended:
        Tracing.from_environment({"OTEL_TRACES_EXPORTER": "nosuch"})
    assert str(ended.value) == (
        "error: OTEL_TRACES_EXPORTER: 'nosuch' is not installed; "
        "`pip install opentelemetry-exporter-nosuch` brings it"
    )


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"OTEL_TRACES_EXPORTER": " console "}, "console"),
        ({"OTEL_TRACES_EXPORTER": ""}, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "x"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "TRUE"}, None),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "false"}, "console"),
    ],
)
def test_the_standard_variables_name_it(variables: dict[str, str], name: str | None) -> None:
    assert exporter(variables) == name
