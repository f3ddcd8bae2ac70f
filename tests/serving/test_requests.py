"""Requests that make no sense, come from nobody, are too long or too slow: one shape of refusal."""

from __future__ import annotations

import asyncio
import gzip
import io
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from serving.app import App
from serving.forms import FORM_FRAME
from serving.routes import MAX_JSON
from serving.search import Searcher
from serving.settings import Settings
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask, client_of, error_of, search, with_client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/images", 404),
        ("GET", "/search/", 404),
        ("GET", "/images/0123456789abcdef", 404),
        ("GET", "/images/0123456789abcdef/facts", 404),
        ("GET", "/image?path=nowhere.png", 404),
        ("GET", "/image", 400),
        ("GET", "/images/0123456789abcdef?size=huge", 400),
        ("GET", "/search", 405),
        ("POST", "/info", 405),
        ("DELETE", "/encode", 405),
        ("POST", "/transcribe", 501),
        ("POST", "/reload", 403),
        ("GET", "/schema.json", 404),
    ],
)
def test_every_error_has_the_one_shape(app: App, method: str, path: str, status: int) -> None:
    response = ask(app, method, path)
    assert response.status_code == status
    error_of(response)
    assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    ("method", "path", "options", "field", "message"),
    [
        ("GET", "/nowhere", {}, None, "there is nothing at /nowhere: see /docs.json"),
        ("GET", "/schema.json", {}, None, "there is nothing at /schema.json: see /docs.json"),
        ("GET", "/search", {}, None, "/search answers POST only"),
        ("POST", "/search", {"content": b"x"}, None, "the body is no JSON: "),
        ("GET", "/images/nosuchid", {}, "id", "id: no image has the id 'nosuchid'"),
        ("GET", "/images/nosuchid/facts", {}, "id", "id: no image has the id 'nosuchid'"),
        (
            "GET",
            "/image?path=nowhere.png",
            {},
            "path",
            "path: no image of the bundle has this path",
        ),
        ("GET", "/image", {}, "path", "path: which image? /image?path=…"),
        ("GET", "/images/x?size=huge", {}, "size", "size: 'thumbnail', or leave it out"),
        (
            "POST",
            "/transcribe",
            {},
            None,
            "this service does not understand speech: SIGHTLINE_SPEECH_MODEL is not set",
        ),
        (
            "POST",
            "/reload",
            {},
            None,
            "only who has a key may ask for this: set SIGHTLINE_API_KEYS, or send SIGHUP",
        ),
        (
            "POST",
            "/search_by_image",
            {"json": {}},
            "image",
            "image: send multipart/form-data with the file as 'image'",
        ),
        (
            "POST",
            "/search_by_image",
            {"files": {"image": b"x"}},
            "image",
            "image: the file is missing",
        ),
        (
            "POST",
            "/search_by_image",
            {"files": {"image": b"x"}, "data": {"colour": "red"}},
            "colour",
            "colour: no such field",
        ),
        (
            "POST",
            "/search_by_image",
            {"files": {"image": b"x"}, "data": {"k": ["1", "2"]}},
            "k",
            "k: is there twice",
        ),
        (
            "POST",
            "/search_by_image",
            {"files": {"image": b"x"}},
            "image",
            "image: not an image: no image format that is known",
        ),
        (
            "POST",
            "/search_by_image",
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            None,
            "the body is no multipart form: ",
        ),
        (
            "POST",
            "/search_by_image",
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            None,
            "the body is no multipart form: Missing boundary in multipart.",
        ),
        (
            "POST",
            "/search",
            {"json": {"like": "nosuchid"}},
            "like",
            "like: no image has the id 'nosuchid'",
        ),
        (
            "POST",
            "/search",
            {"json": {"query": "a fox", "filter": {"year": {"above": 3}}}},
            "filter",
            "filter: year: one of gt, gte, lt, lte, in, not_in, any, all, exists, prefix is "
            "needed, not 'above'",
        ),
        (
            "POST",
            "/search",
            {"content": b"{}", "headers": {"Content-Encoding": "br"}},
            None,
            "Content-Encoding: gzip and deflate are read",
        ),
        (
            "POST",
            "/search",
            {"content": gzip.compress(b"{}")[:-1], "headers": {"Content-Encoding": "gzip"}},
            None,
            "the body cannot be unpacked: its end is missing",
        ),
        (
            "POST",
            "/search",
            {"content": b"nonsense", "headers": {"Content-Encoding": "GZIP "}},
            None,
            "the body cannot be unpacked: Error -3 while decompressing data",
        ),
        (
            "GET",
            "/info",
            {"headers": {f"x-{number}": "1" for number in range(101)}},
            None,
            "more than 100 headers, or 32 KB of them",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words(
    app: App, method: str, path: str, options: dict[str, Any], field: str | None, message: str
) -> None:
    error = error_of(ask(app, method, path, **options))
    assert error["field"] == field
    assert error["message"].startswith(message)


@pytest.mark.parametrize(("status", "headers"), [(200, 96), (431, 97)])
def test_a_hundred_headers_are_read(app: App, status: int, headers: int) -> None:
    """Four of them are httpx's own, and one more is the host's."""
    given = {f"x-{number}": "1" for number in range(headers - 1)}
    assert ask(app, "GET", "/livez", headers=given).status_code == status


def test_32_kb_of_headers_are_read(app: App) -> None:
    def status(size: int) -> int:
        return ask(app, "GET", "/livez", headers={"x": "y" * size}).status_code

    request = client_of(app).build_request("GET", "/livez", headers={"x": ""})
    others = sum(len(name) + len(value) for name, value in request.headers.raw)
    assert status((32 << 10) - others) == 200
    assert status((32 << 10) - others + 1) == 431


def test_what_is_not_http_is_left_unanswered(app: App) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert sent == []


def test_an_answer_that_fails_half_way_is_broken_off(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so can the caller know that what came is not all."""
    from starlette.responses import Response

    from serving.wire.responses import Json

    async def half(self: Json, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("the rest is lost")

    app = make()
    monkeypatch.setattr(Response, "__call__", half)

    async def run() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            await client.get("/info")

    with pytest.raises(ConnectionAbortedError, match="an answer failed after it had begun"):
        asyncio.run(run())


def test_a_body_is_counted_as_it_comes(app: App) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b" " * (1 << 20)

    response = ask(app, "POST", "/search", content=endless())
    assert response.status_code == 413
    assert taken <= 6
    error_of(response)


def test_a_body_that_says_how_long_it_is_is_not_even_read(app: App) -> None:
    read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield b"{}"

    response = ask(
        app, "POST", "/search", content=body(), headers={"Content-Length": str(MAX_JSON + 1)}
    )
    assert response.status_code == 413
    assert not read


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_is_as_large_as_it_may_be(make: Make, chunked: bool) -> None:
    app = make(max_upload_mb=0.125)

    def send(size: int) -> httpx.Response:
        form = httpx.Request("POST", "http://x", files={"image": bytes(size)})
        body = form.read()

        async def stream() -> AsyncIterator[bytes]:
            yield body

        headers = {"Content-Type": form.headers["Content-Type"]}
        content: Any = stream() if chunked else body
        return ask(app, "POST", "/search_by_image", content=content, headers=headers)

    # No image, but not too long for one.
    assert send(131072).status_code == 400
    # Within the frame that a form may have around its file.
    assert send(131073).status_code == 413
    assert send(131072 + 2 * FORM_FRAME).status_code == 413


def form(*parts: str, end: str = "--x--\r\n") -> dict[str, Any]:
    body = "".join(f"--x\r\nContent-Disposition: form-data; {part}\r\n" for part in parts) + end
    return {
        "content": body.encode("latin-1"),
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    }


FILE = 'name="image"; filename="a"\r\n\r\nGIF89a'


@pytest.mark.parametrize(
    "request_",
    [
        form(FILE, FILE),
        {"content": b"GIF89a", "headers": {"Content-Type": "multipart/form-data"}},
        {
            "content": b"garbage",
            "headers": {"Content-Type": "multipart/form-data; boundary=x"},
        },
        form(FILE, *(f'name="{name}"\r\n\r\n1' for name in "abcde")),
        form(FILE, f'name="k"\r\n\r\n{"1" * 3000}'),
        form(FILE, 'name="k"\r\n\r\n1', 'name="k"\r\n\r\n2'),
        form(FILE, 'name="colour"\r\n\r\nred'),
        form(FILE, 'name="k"\r\n\r\nthree'),
        form('name="image"\r\n\r\nno file'),
        form(FILE, end=""),
        form("no name\r\n\r\n"),
        form(end=""),
        {
            "content": b"--x\r\n",
            "headers": {"Content-Type": "multipart/form-data; boundary=x; charset=klingon"},
        },
        {"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary="}},
        {"json": {"image": "x"}},
    ],
    ids=range(15),
)
def test_a_form_that_makes_no_sense_is_400(app: App, request_: dict[str, Any]) -> None:
    response = ask(app, "POST", "/search_by_image", **request_)
    assert response.status_code == 400, response.text
    error_of(response)


def test_a_body_may_be_packed_and_begin_with_a_mark(app: App) -> None:
    plain = b'\xef\xbb\xbf{"query": "a red fox", "k": 3}'
    wanted = search(app, query="a red fox", k=3)
    for encoding, body in [
        ("identity", plain),
        ("gzip", gzip.compress(plain)),
        ("deflate", zlib.compress(plain)),
    ]:
        response = ask(app, "POST", "/search", content=body, headers={"Content-Encoding": encoding})
        assert response.json()["results"] == wanted, encoding


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", gzip.compress(bytes(200 << 20)), 413),
        ("gzip", b"not packed at all", 400),
        ("gzip", gzip.compress(b'{"query": "a fox"}')[:-9], 400),
        ("br", b"", 415),
    ],
    ids=["bomb", "garbage", "cut off", "unknown"],
)
def test_what_cannot_be_unpacked_is_refused(
    app: App, encoding: str, body: bytes, status: int
) -> None:
    response = ask(app, "POST", "/search", content=body, headers={"Content-Encoding": encoding})
    assert response.status_code == status
    error_of(response)


def test_who_sends_too_slowly_is_sent_away(make: Make) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b'{"query"'
        await asyncio.sleep(30)
        yield b': "a fox"}'

    response = ask(make(upload_timeout=0.05), "POST", "/search", content=slow())
    assert response.status_code == 408
    assert response.headers["connection"] == "close"
    error_of(response)


def test_an_answer_that_takes_too_long_is_one_504(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(timeout=0.05)

    def slowly(texts: list[str]) -> list[list[int]]:
        raise AssertionError

    encode = Searcher.search

    def slow(self: Searcher, *plans: Any) -> Any:
        time.sleep(0.3)
        return encode(self, *plans)

    monkeypatch.setattr(Searcher, "search", slow)
    response = ask(app, "POST", "/search", json={"query": "a fox"})
    assert response.status_code == 504
    error_of(response)
    metrics = ask(app, "GET", "/metrics").text
    assert 'request_total{endpoint="/search",http_response_code="504"} 1.0' in metrics


def test_what_goes_wrong_in_here_is_500_without_a_word_of_it(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from serving.planner import Planner

    def broken(self: Planner, request: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Planner, "search", broken)
    response = ask(app, "POST", "/search", json={"query": "a fox"})
    assert response.status_code == 500
    assert "secret" not in response.text
    error_of(response)
    assert "secret" in caplog.text


def test_nothing_is_answered_before_there_is_a_bundle() -> None:
    app = App(Settings())
    assert ask(app, "GET", "/livez").status_code == 200
    for method, path, body in [
        ("GET", "/readyz", None),
        ("GET", "/info", None),
        ("GET", "/images/0123456789abcdef", None),
        ("GET", "/images/0123456789abcdef/facts", None),
        ("POST", "/search", {"query": "a fox"}),
        ("POST", "/encode", {"texts": ["a fox"]}),
    ]:
        response = ask(app, method, path, json=body)
        assert response.status_code == 503, path
        assert response.headers["Retry-After"] == "1"
        error_of(response)


def test_while_leaving_everybody_is_asked_to_hang_up(app: App) -> None:
    assert "connection" not in ask(app, "GET", "/info").headers
    app.state.leaving = True
    for path in ("/info", "/nowhere"):
        assert ask(app, "GET", path).headers["connection"] == "close"


def test_any_of_the_keys_opens_and_nothing_else(make: Make) -> None:
    app = make(api_key="one", api_keys="two, three")

    def status(path: str = "/info", **headers: str) -> int:
        return ask(app, "GET", path, headers=headers).status_code

    for key in ("one", "two", "three"):
        assert status(Authorization=f"Bearer {key}") == 200
        assert status(Authorization=f"bearer {key}") == 200
    for wrong in (
        "Bearer on",
        "Bearer onee",
        "Bearer ",
        "Bearer",
        "one",
        "Basic one",
        "Bearer two,",
    ):
        response = ask(app, "GET", "/info", headers={"Authorization": wrong})
        assert response.status_code == 401, wrong
        assert response.headers["WWW-Authenticate"] == "Bearer"
        error_of(response)
    for path in ("/", "/docs.json", "/metrics", "/nowhere", "/images/0", "/schema.json"):
        assert status(path) == 401, path
    for probe in ("/livez", "/readyz", "/healthz"):
        assert status(probe) == 200


def test_only_the_pages_that_are_named_may_ask(make: Make) -> None:
    def preflight(app: App, origin: str) -> httpx.Response:
        return ask(
            app,
            "OPTIONS",
            "/search",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        )

    closed = preflight(make(), "https://a.example")
    assert closed.status_code == 405
    assert "access-control-allow-origin" not in closed.headers
    app = make(cors_origins="https://a.example", api_keys="k")
    assert preflight(app, "https://a.example").headers["access-control-allow-origin"]
    assert "access-control-allow-origin" not in preflight(app, "https://b.example").headers
    # The reason of a refusal can be read there, too.
    refused = ask(app, "GET", "/info", headers={"Origin": "https://a.example"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://a.example"


def test_headers_without_end_are_refused(app: App) -> None:
    for headers in ({f"x-{n}": "1" for n in range(101)}, {"x": "y" * 40_000}):
        response = ask(app, "GET", "/info", headers=headers)
        assert response.status_code == 431
        error_of(response)


def test_a_request_keeps_its_name(app: App) -> None:
    def name(**headers: str) -> str:
        found: str = ask(app, "GET", "/livez", headers=headers).headers["x-request-id"]
        return found

    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert name(**{"X-Request-ID": "mine-1"}) == "mine-1"
    assert name(traceparent=f"00-{trace}-00f067aa0ba902b7-01") == trace
    for nonsense in ("", "a b", "x" * 129, 'a"b'):
        assert name(**{"X-Request-ID": nonsense}) != nonsense
    assert name() != name()


def test_a_crowd_is_refused_after_a_pause_and_the_others_answered(make: Make) -> None:
    app = make(max_queue=4, max_batch_size=2)

    async def crowd(client: httpx.AsyncClient) -> list[httpx.Response]:
        return await asyncio.gather(
            *(client.post("/search", json={"query": f"fox {n}"}) for n in range(60))
        )

    responses = with_client(app, crowd)
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 4
    for response in responses:
        if response.status_code == 429:
            assert response.headers["Retry-After"] == "1"
            error_of(response)
    assert search(app, query="a fox")


def test_who_is_refused_cannot_ask_again_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusing costs more than waiting: who asks on and on keeps others from being answered."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noting(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(seconds)

    app = make(max_queue=1)

    async def crowd(client: httpx.AsyncClient) -> list[int]:
        monkeypatch.setattr("serving.error_answers.asyncio.sleep", noting)
        sent = (client.post("/search", json={"query": f"fox {n}"}) for n in range(10))
        return [answer.status_code for answer in await asyncio.gather(*sent)]

    refused = with_client(app, crowd).count(429)
    assert refused >= 8
    assert pauses == [0.1] * refused


def test_images_have_a_small_queue_of_their_own(make: Make) -> None:
    app = make(max_image_queue=2)

    async def crowd(client: httpx.AsyncClient) -> list[int]:
        sent = [client.post("/search_by_image", files={"image": image_bytes(n)}) for n in range(30)]
        searches = [client.post("/search", json={"query": f"fox {n}"}) for n in range(30)]
        answers = await asyncio.gather(*sent, *searches)
        return [answer.status_code for answer in answers]

    statuses = with_client(app, crowd)
    assert set(statuses[:30]) == {200, 429}
    assert set(statuses[30:]) == {200}


def test_who_has_hung_up_is_not_searched_for(app: App) -> None:

    asked: list[int] = []
    searched = Searcher.search

    def counting(self: Searcher, plans: Any, sought: Any) -> Any:
        asked.append(len(plans))
        time.sleep(0.05)
        return searched(self, plans, sought)

    async def run() -> None:
        async def hung_up(number: int) -> None:
            sent: list[Any] = []
            messages = iter(
                [
                    {"type": "http.request", "body": b'{"query": "fox %d"}' % number},
                    {"type": "http.disconnect"},
                ]
            )

            async def receive() -> Any:
                return next(messages)

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {
                "type": "http",
                "method": "POST",
                "path": "/search",
                "headers": [],
                "query_string": b"",
            }
            await app(scope, receive, send)

        async with client_of(app) as client:
            first = asyncio.ensure_future(client.post("/search", json={"query": "the first"}))
            await asyncio.sleep(0.02)
            await asyncio.gather(*(hung_up(number) for number in range(50)))
            assert (await first).status_code == 200

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Searcher, "search", counting)
        asyncio.run(run())
    assert asked == [1]


def test_bodies_that_are_no_json_name_no_field(app: App) -> None:
    for body in (b"", b"{", b"[]", b"\xff\xfe", b"null", io.BytesIO(b"nonsense").read()):
        response = ask(app, "POST", "/search", content=body)
        assert response.status_code == 400
        error_of(response)
