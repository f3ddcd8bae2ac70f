"""The outermost of what a request passes: an id, counters, a line in the log, a trace."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.asgi import HEADERS, STATUS
from serving.logs import request_id
from serving.state import State
from serving.tracing import Tracing

logger = logging.getLogger("sightline")

_GIVEN_ID = re.compile(rb"[\w.:/+=-]{1,128}")
_TRACE_PARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_OTHER = "other"


class Edge:
    """Gives each request an id, counts it, logs it, and sends callers away while leaving.

    Args:
        app: what answers.
        state: counts; whether the service is leaving.
        labels: the path of each route by its endpoint, as it stands in metrics and logs.
        log_requests: log each of them, not only those that fail.
        tracing: where spans go, None for nowhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        state: State,
        labels: Mapping[object, str],
        *,
        log_requests: bool,
        tracing: Tracing | None,
    ) -> None:
        self._app = app
        self._state = state
        self._labels = labels
        self._log_requests = log_requests
        self._tracing = tracing
        self._under_way = state.metrics.under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        headers = dict(scope["headers"])
        asked = _id_of(headers)
        request_id.set(asked)
        about = scope.setdefault("state", {})
        about[HEADERS] = headers
        about[STATUS] = 0

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                about[STATUS] = message["status"]
                own = [(b"x-request-id", asked.encode())]
                if self._state.leaving:
                    own.append((b"connection", b"close"))
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        self._under_way.inc()
        try:
            await self._app(scope, receive, answer)
        finally:
            self._under_way.dec()
            seconds = time.perf_counter() - started
            route = self._labels.get(scope.get("endpoint"), _OTHER)
            # Without a status the caller had left before there was an answer.
            status = about[STATUS] or 499
            metrics = self._state.metrics
            metrics.requests.labels(route, status).inc()
            metrics.duration.labels(route).observe(seconds)
            if self._log_requests:
                self._log(scope, route, status, seconds)
            if self._tracing is not None:
                self._tracing.record(scope, headers, route, status, seconds)

    def _log(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        extra = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1e3, 3),
        }
        query = scope["state"].get("query")
        logger.info("request", extra=extra | ({"query": query} if query else {}))


def _id_of(headers: Mapping[bytes, bytes]) -> str:
    """The caller's own name for the request, else its trace's, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _GIVEN_ID.fullmatch(given):
        return given.decode()
    parent = headers.get(b"traceparent")
    if parent is not None and (trace := _TRACE_PARENT.fullmatch(parent)):
        return trace[1].decode()
    return secrets.token_hex(8)
