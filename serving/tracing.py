"""OpenTelemetry spans of requests and their steps, where the environment names an exporter.

The standard variables decide: ``OTEL_TRACES_EXPORTER`` (``console`` comes with the SDK, ``otlp``
with its package), ``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER``.
Spans are written when a request is done, from the times that were taken anyway.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from starlette.types import Scope

from serving.timing import STEPS, Timing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# Under which Edge finds what an engine took: a key of a request's ``state``.
TIMING = "timing"


class Tracing:
    """Writes spans.

    Args:
        provider: where they go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("sightline")

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> Tracing | None:
        """To the exporter that the environment names; None where it names none.

        Raises:
            SystemExit: the exporter is not installed.
        """
        name = exporter(variables)
        if name is None:
            return None
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
        if not found:
            raise SystemExit(
                f"error: OTEL_TRACES_EXPORTER: {name!r} is not installed; "
                f"`pip install opentelemetry-exporter-{name}` brings it"
            )
        named = variables.get("OTEL_SERVICE_NAME", "sightline")
        provider = TracerProvider(resource=Resource.create({"service.name": named}))
        provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
        return cls(provider)

    def record(
        self,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        route: str,
        status: int,
        seconds: float,
    ) -> None:
        """Write the span of a request that is done, and those of its steps."""
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, set_span_in_context

        carrier = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()
        }
        ended = time.time_ns()
        started = ended - int(seconds * 1e9)
        request = self._tracer.start_span(
            f"{scope['method']} {route}",
            context=extract(carrier),
            kind=SpanKind.SERVER,
            start_time=started,
            attributes={
                "http.request.method": scope["method"],
                "http.route": route,
                "http.response.status_code": status,
            },
        )
        timing: Timing | None = scope["state"].get(TIMING)
        if timing is not None:
            within = set_span_in_context(request)
            # Backwards from the end, since writing the answer takes next to nothing.
            at = ended - int(sum(getattr(timing, step) for step in STEPS) * 1e9)
            for step in STEPS:
                span = self._tracer.start_span(step, context=within, start_time=at)
                at += int(getattr(timing, step) * 1e9)
                span.end(at)
        request.end(ended)

    def close(self) -> None:
        """Send what is still here."""
        self._provider.shutdown()


def exporter(variables: Mapping[str, str]) -> str | None:
    """The exporter that the standard variables name, None for none."""
    if variables.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    named = variables.get("OTEL_TRACES_EXPORTER", "").strip()
    if not named and (
        "OTEL_EXPORTER_OTLP_ENDPOINT" in variables
        or "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" in variables
    ):
        named = "otlp"
    return named if named not in ("", "none") else None
