"""What the service tells of itself: metrics, times, spans, logs, documents."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serving.app import App
from serving.logs import JsonLines
from serving.tracing import Tracing, exporter
from tests.serving.conftest import Make, ask, search, with_client

STEPS = ["filter", "tokenize", "queue", "encode", "search", "lookup"]


def metric(app: App, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", ask(app, "GET", "/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def test_requests_are_counted_by_route_and_status(app: App) -> None:
    search(app, query="a fox")
    ask(app, "POST", "/search", json={})
    ask(app, "GET", "/images/0123456789abcdef")
    ask(app, "GET", "/no/such/thing")
    for endpoint, status in [
        ("/search", 200),
        ("/search", 400),
        ("/images/{id}", 404),
        ("other", 404),
    ]:
        labels = f'{{endpoint="{endpoint}",http_response_code="{status}"}}'
        assert metric(app, f"bentoml_service_request_total{labels}") == 1
    assert "0123456789abcdef" not in ask(app, "GET", "/metrics").text
    # The one that asks.
    assert metric(app, "bentoml_service_request_in_progress") == 1


def test_two_services_in_one_process_share_no_counter(make: Make) -> None:
    one, other = make(), make()
    search(one, query="a fox")
    assert metric(one, "sightline_cache_misses_total") == 1
    assert metric(other, "sightline_cache_misses_total") == 0


def test_what_waited_is_told(app: App) -> None:
    async def crowd(client: httpx.AsyncClient) -> None:
        await asyncio.gather(
            *(client.post("/search", json={"query": f"fox {n}"}) for n in range(40))
        )

    with_client(app, crowd)
    assert metric(app, 'sightline_queue{method_name="search"}') == 0
    assert metric(app, 'bentoml_service_adaptive_batch_size_sum{method_name="search"}') == 40


def test_the_steps_add_up(app: App) -> None:
    for body in (
        {"query": "a red fox in the snow", "filter": {"kind": "odd"}},
        {"query": "a red fox", "negative": "a house"},
    ):
        response = ask(app, "POST", "/search", json=body)
        steps = re.findall(r"(\w+);dur=([\d.]+)", response.headers["Server-Timing"])
        assert [step for step, _ in steps] == STEPS
        assert sum(float(milliseconds) for _, milliseconds in steps) > 0


def tracing() -> tuple[TracerProvider, InMemorySpanExporter]:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider, spans


def test_spans_name_the_steps_and_belong_to_the_caller_s_trace(make: Make) -> None:
    provider, spans = tracing()
    app = make(tracing=Tracing(provider))
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    response = ask(
        app,
        "POST",
        "/search",
        json={"query": "a fox", "filter": {"kind": "odd"}},
        headers={"traceparent": f"00-{trace}-{parent}-01"},
    )
    found = {span.name: span for span in spans.get_finished_spans()}
    assert set(found) == {"POST /search", *STEPS}
    request = found.pop("POST /search")
    assert request.context is not None
    assert f"{request.context.trace_id:032x}" == trace
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == parent
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    timing = dict(re.findall(r"(\w+);dur=([\d.]+)", response.headers["Server-Timing"]))
    for name, span in found.items():
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert span.start_time is not None
        assert span.end_time is not None
        took = (span.end_time - span.start_time) / 1e6
        assert took == pytest.approx(float(timing[name]), abs=0.01)
    ask(app, "GET", "/livez")
    assert spans.get_finished_spans()[-1].name == "GET /livez"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, None),
        ({"OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_the_standard_variables_decide(variables: dict[str, str], name: str | None) -> None:
    assert exporter(variables) == name


def test_an_exporter_that_is_not_installed_is_named() -> None:
    with pytest.raises(SystemExit, match="OTEL_TRACES_EXPORTER: 'nosuch' is not installed"):
        Tracing.from_environment({"OTEL_TRACES_EXPORTER": "nosuch"})


def logged(app: App, **body: Any) -> list[dict[str, Any]]:
    """The lines of JSON that a search leaves in the log."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("sightline")
    logger.addHandler(handler)
    # Harmless: more is heard of our own logger than without it.
    logger.setLevel(logging.INFO)
    try:
        ask(app, "POST", "/search", json=body, headers={"X-Request-ID": "mine"})
    finally:
        logger.removeHandler(handler)
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_requests_are_logged_if_asked_for_and_queries_if_asked_for_too(make: Make) -> None:
    assert logged(make(), query="a secret") == []
    [line] = logged(make(log_requests=True), query="a secret")
    assert line["request_id"] == "mine"
    assert (line["method"], line["route"], line["status"]) == ("POST", "/search", 200)
    assert line["milliseconds"] > 0
    assert "a secret" not in str(line)
    [line] = logged(make(log_requests=True, log_queries=True), query="a secret")
    assert line["query"] == "a secret"


def test_a_line_break_in_what_is_logged_breaks_no_line(make: Make) -> None:
    [line] = logged(make(log_requests=True, log_queries=True), query='a\r\n{"level": "CRITICAL"}')
    assert line["level"] == "INFO"


def test_the_document_names_project_and_version(app: App) -> None:
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())
    document = ask(app, "GET", "/docs.json").json()
    assert document["info"]["title"] == "Sightline"
    assert document["info"]["version"] == project["project"]["version"]


def test_every_route_is_documented_with_its_methods(make: Make) -> None:
    app = make(api_keys="k")
    answer = ask(app, "GET", "/docs.json", headers={"Authorization": "Bearer k"})
    documented = answer.json()["paths"]
    routes = {route.path: (route.methods or set()) - {"HEAD"} for route in app.routes}
    # This service hears no speech, and is not BentoML's.
    for path in ("/transcribe", "/schema.json"):
        del routes[path]
    assert {
        path: {method.upper() for method in methods} for path, methods in documented.items()
    } == routes


def test_the_page_loads_nothing_from_anywhere(app: App) -> None:
    response = ask(app, "GET", "/")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", response.text)
    assert "<script" not in response.text
    assert "/search_by_image" in response.text
