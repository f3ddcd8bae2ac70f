"""What every request passes: ids, counts, spans, keys, bodies, each by itself."""

from __future__ import annotations

import asyncio
import gzip
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import serving.middleware
from serving.errors import RequestError
from serving.middleware import Bodies, Edge, Errors, Keys, _id_of, _Unpacker
from serving.state import State
from tests.serving.conftest import Make, ask

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"


def scope(**others: Any) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/search", "headers": [], **others}


def call(app: Any, about: dict[str, Any], *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What an application sends that is given a request and its messages."""
    sent: list[dict[str, Any]] = []
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(about, receive, send))
    return sent


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


async def answers(about: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"x"})


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
    monkeypatch.setattr(serving.middleware, "time", clock)
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


def refusal(error: Exception) -> Any:
    async def app(about: Any, receive: Any, send: Any) -> None:
        raise error

    return Errors(app)


def told(app: Any, about: dict[str, Any], *messages: dict[str, Any]) -> tuple[int, str]:
    from serving.wire import ErrorResponse

    about.setdefault("state", {"status": 0, "headers": dict(about["headers"])})
    start, rest = call(Errors(app), about, *messages)
    return start["status"], ErrorResponse.model_validate_json(rest["body"]).error.message


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (RequestError(418, "tea", "pot"), 418, "tea"),
        (HTTPException(404), 404, "there is nothing at /search: see /docs.json"),
        (HTTPException(405, headers={"Allow": "GET"}), 405, "/search answers GET only"),
        (HTTPException(406, "not so"), 406, "not so"),
        (TimeoutError(), 504, "there was no answer in time: try again"),
        (RuntimeError("secret"), 500, "the service failed; its log says why"),
    ],
)
def test_whatever_goes_wrong_is_answered(
    error: Exception, status: int, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(refusal(error), scope()) == (status, message)
    assert caplog.messages == (["POST /search failed"] if status == 500 else [])
    assert [bool(record.exc_info) for record in caplog.records] == [True] * (status == 500)


def test_who_has_hung_up_is_told_nothing() -> None:
    assert call(refusal(ClientDisconnect()), scope(state={"status": 0})) == []


@pytest.mark.parametrize(
    ("given", "opens"),
    [
        (b"Bearer one", True),
        (b"bearer two", True),
        (b"BEARER  one ", True),
        (b"Bearer three", False),
        (b"Basic one", False),
        (b"one", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("path", ["/search", "/livez"])
def test_a_key_opens(given: bytes | None, opens: bool, path: str) -> None:
    headers = {} if given is None else {b"authorization": given}
    about = scope(path=path, state={"status": 0, "headers": headers})
    app = Keys(answers, [b"one", b"two"])
    if opens or path == "/livez":
        assert call(app, about)[0]["status"] == 200
        return
    with pytest.raises(RequestError) as refused:
        call(app, about)
    assert refused.value.status == 401
    assert refused.value.message == "this service asks for the header 'Authorization: Bearer KEY'"
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}


class Reads:
    """Reads a body to its end, and what comes after it."""

    def __init__(self) -> None:
        self.content = b""
        self.after: dict[str, Any] | None = None

    async def __call__(self, about: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.after = message
                return
            self.content += message.get("body", b"")
            more = message.get("more_body", False)
        self.after = await receive()


GONE = {"type": "http.disconnect"}


def read(
    *messages: dict[str, Any], limit: int = 10, method: str = "POST", **headers: str
) -> tuple[bytes, dict[str, Any] | None]:
    reads = Reads()
    app = Bodies(reads, {"/upload": 4 * limit}, limit=limit, seconds=10)
    given = {name.encode().replace(b"_", b"-"): value.encode() for name, value in headers.items()}
    call(app, scope(method=method, state={"headers": given}), *messages)
    return reads.content, reads.after


def test_a_body_comes_through_as_it_was_sent() -> None:
    pieces = [body(b"01234", more=True), {"type": "http.request", "more_body": True}]
    assert read(*pieces, body(b"56789"), GONE) == (b"0123456789", GONE)
    assert read(body(b""), GONE) == (b"", GONE)
    assert read(body(b"01234", more=True), GONE) == (b"01234", GONE)
    # What follows a body is no part of it, however long.
    assert read(body(b"0"), body(b"x" * 99)) == (b"0", body(b"x" * 99))
    # Of other methods nothing is counted.
    assert read(body(b"x" * 99), GONE, method="GET")[0] == b"x" * 99


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_one_byte_too_many_is_refused(method: str) -> None:
    for messages, headers in [
        ([body(b"x" * 11)], {}),
        ([body(b"x" * 10, more=True), body(b"x")], {}),
        ([], {"content_length": "11"}),
    ]:
        with pytest.raises(RequestError) as refused:
            read(*messages, method=method, **headers)
        assert refused.value.status == 413
    assert read(body(b"x" * 10), GONE, content_length="10")[0] == b"x" * 10
    # Said in a way that is none, it counts as it comes.
    assert read(body(b"x"), GONE, content_length="-5")[0] == b"x"


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", " GZIP"])
def test_a_packed_body_is_unpacked_and_counted_unpacked(encoding: str) -> None:
    def unpacked(content: bytes, **options: Any) -> bytes:
        packed = gzip.compress(content)
        pieces = [body(packed[n : n + 1], more=n + 1 < len(packed)) for n in range(len(packed))]
        return read(*pieces, GONE, content_encoding=encoding, **options)[0]

    assert unpacked(b"x" * 50, limit=50) == b"x" * 50
    assert unpacked(b"", limit=50) == b""
    with pytest.raises(RequestError) as refused:
        unpacked(b"x" * 51, limit=50)
    assert refused.value.status == 413
    assert refused.value.message == "the body is longer than 0 KB"


def test_no_more_is_unpacked_than_may_be() -> None:
    packed = gzip.compress(bytes(1 << 20))
    assert len(_Unpacker()(packed, 100, True)) == 100
    # Of nothing that may be, something has to be seen all the same.
    assert len(_Unpacker()(packed, 0, True)) == 1


@pytest.mark.parametrize(
    ("encoding", "content", "status", "message"),
    [
        ("br", b"x", 415, "Content-Encoding: gzip and deflate are read"),
        ("gzip", b"nonsense", 400, "the body cannot be unpacked: Error -3 "),
        ("gzip", gzip.compress(b"x")[:-1], 400, "the body cannot be unpacked: its end is missing"),
    ],
)
def test_what_cannot_be_unpacked_is_told(
    encoding: str, content: bytes, status: int, message: str
) -> None:
    with pytest.raises(RequestError) as refused:
        read(body(content), limit=99, content_encoding=encoding)
    assert refused.value.status == status
    assert refused.value.message.startswith(message)
    assert refused.value.headers == ({"Accept-Encoding": "gzip"} if status == 415 else {})


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def never() -> Any:
        await asyncio.get_running_loop().create_future()

    async def run() -> RequestError:
        app = Bodies(Reads(), {}, limit=10, seconds=0.01)
        with pytest.raises(RequestError) as refused:
            await app(scope(state={"headers": {}}), never, never)
        return refused.value

    error = asyncio.run(run())
    assert (error.status, error.message) == (408, "the request did not arrive in time")
    assert error.headers == {"Connection": "close"}


def test_pages_may_read_what_they_are_told_beside_the_answer(make: Make) -> None:
    app = make(cors_origins="https://a.example")
    told = ask(app, "GET", "/info", headers={"Origin": "https://a.example"}).headers
    assert told["access-control-expose-headers"] == (
        "Server-Timing, X-Request-ID, Retry-After, X-Sightline-Bundle"
    )
    asked = ask(
        app,
        "OPTIONS",
        "/search",
        headers={
            "Origin": "https://a.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-request-id",
        },
    )
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-methods"] == "GET, POST"
    for header in ("Authorization", "Content-Type", "X-Request-ID"):
        assert header in asked.headers["access-control-allow-headers"]


def test_who_hangs_up_in_the_middle_of_a_packed_body_has_sent_nothing_wrong() -> None:
    packed = gzip.compress(b"x" * 9)
    read_so_far = body(packed[:12], more=True)
    assert read(read_so_far, GONE, limit=50, content_encoding="gzip")[1] == GONE


def test_of_a_packed_body_what_is_left_of_the_limit_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most: list[int] = []
    unpack = _Unpacker.__call__

    def noting(self: _Unpacker, content: bytes, room: int, whole: bool) -> bytes:
        most.append(room)
        return unpack(self, content, room, whole)

    monkeypatch.setattr(_Unpacker, "__call__", noting)
    # Stored as they are, so that each piece unpacks to as many bytes.
    packed = gzip.compress(b"0123456789", compresslevel=0)
    pieces = [body(packed[:18], more=True), body(packed[18:22], more=True), body(packed[22:])]
    assert read(*pieces, GONE, limit=50, content_encoding="gzip")[0] == b"0123456789"
    assert most == [51, 48, 44]
