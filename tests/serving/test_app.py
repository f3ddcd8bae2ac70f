"""The application as a whole: what it lets go of, and what its settings change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.bundle import Bundle, Scrubbed
from models.manifest import DamagedError
from serving.app import App, create_app
from serving.forms import FORM_FRAME
from serving.routes import MAX_JSON
from serving.settings import PROTOCOLS, Settings
from serving.wire.requests import ImageSearchRequest
from tests.serving.conftest import Make, ask, error_of


def test_closing_lets_go_of_everything(opened: Bundle) -> None:
    closed: list[str] = []
    tracing: Any = SimpleNamespace(close=lambda: closed.append("tracing"))
    app = create_app(Settings(), opened, tracing=tracing)
    reloader = app.reloader
    reloader.close = lambda: closed.append("reloader")  # type: ignore[method-assign]
    assert app.state.ready
    app.close()
    assert closed == ["reloader", "tracing"]
    assert not app.state.ready
    assert ask(app, "POST", "/search", json={"query": "a fox"}).status_code == 503
    create_app(Settings(), opened).close()


def test_a_bundle_is_warm_before_it_answers_and_closed_after(
    opened: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(opened, name)

        def scrub(self) -> Iterator[Scrubbed]:
            done.append("scrubbed")
            raise DamagedError("items.sqlite is damaged")
            yield

        def close(self) -> None:
            done.append("closed")

    app = App(Settings())

    async def run() -> None:
        watched: Any = Watched()
        await app.use(watched)
        told = app.state.metrics.exposition().decode()
        assert "sightline_search_seconds_count 10.0" in told
        for _ in range(300):
            if not app.state.ready:
                break
            await asyncio.sleep(0.01)
        assert not app.state.ready
        assert caplog.messages == ["not ready any more: items.sqlite is damaged"]
        assert caplog.records[0].levelno == logging.ERROR
        app.close()
        for _ in range(300):
            if "closed" in done:
                break
            await asyncio.sleep(0.01)

    asyncio.run(run())
    assert done == ["scrubbed", "closed"]


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/search", MAX_JSON),
        ("/encode", (1 << 20) * 4 // 3 + MAX_JSON),
        ("/v1/embeddings", (1 << 20) * 4 // 3 + MAX_JSON),
        ("/vectorize", (1 << 20) * 4 // 3 + MAX_JSON),
        ("/knn-service", (1 << 20) * 4 // 3 + MAX_JSON),
        ("/metadata", MAX_JSON),
        ("/search_by_image", (1 << 20) + FORM_FRAME),
        ("/transcribe", (1 << 20) + FORM_FRAME),
    ],
)
def test_each_route_takes_as_much_as_it_needs(make: Make, path: str, limit: int) -> None:
    app = make(max_upload_mb=1, speech_model="base", protocols=" ".join(PROTOCOLS))
    assert FORM_FRAME == 64 << 10
    assert MAX_JSON == 4 << 20

    def status(length: int) -> int:
        # Only said to be as long: what is too long is refused before it is there.
        headers = {"Content-Length": str(length)}
        return ask(app, "POST", path, content=iter_nothing(), headers=headers).status_code

    assert status(limit + 1) == 413
    assert status(limit) != 413


async def iter_nothing() -> Any:
    yield b""


@pytest.mark.parametrize("keys", [None, "k"])
@pytest.mark.parametrize("speech", [None, "base"])
def test_the_document_is_of_this_very_service(
    make: Make, keys: str | None, speech: str | None
) -> None:
    app = make(api_keys=keys, speech_model=speech)
    headers = {"Authorization": "Bearer k"}
    paths = ask(app, "GET", "/docs.json", headers=headers).json()["paths"]
    assert ("/reload" in paths) == (keys is not None)
    assert ("/transcribe" in paths) == (speech is not None)
    assert "/schema.json" not in paths
    info = ask(app, "GET", "/info", headers=headers).json()
    assert info["speech"] == (speech is not None)


def test_bentoml_s_clients_find_their_schema() -> None:
    app = App(Settings(), schema=lambda: {"name": "Sightline"})
    assert ask(app, "GET", "/schema.json").json() == {"name": "Sightline"}
    assert "/schema.json" in ask(app, "GET", "/docs.json").json()["paths"]


def test_speech_is_heard_once_there_is_a_model(make: Make) -> None:
    app = make(speech_model="base")
    starting = ask(app, "POST", "/transcribe", files={"audio": b"x"})
    assert starting.status_code == 503

    async def transcribe(read: Callable[[], bytes]) -> str:
        return f"heard {read().decode()}"

    transcriber: Any = SimpleNamespace(transcribe=transcribe, close=lambda: None)
    app.state.transcriber = transcriber
    heard = ask(app, "POST", "/transcribe", files={"audio": b"x"})
    assert heard.json() == {"text": "heard x"}
    wrong = ask(app, "POST", "/transcribe", files={"audio": b"x"}, data={"k": "1", "a": "2"})
    assert wrong.status_code == 400
    assert error_of(wrong) == {"field": "a", "message": "a: no such field"}
    missing = ask(app, "POST", "/transcribe", files={"image": b"x"})
    assert error_of(missing) == {"field": "audio", "message": "audio: the file is missing"}


def test_every_answer_names_the_bundle_and_the_model(app: App, opened: Bundle) -> None:
    version = opened.manifest.version
    encoded = ask(app, "POST", "/encode", json={"texts": ["a fox"]})
    assert encoded.json()["model"] == "tiny"
    found = ask(app, "POST", "/search", json={"query": "a fox"})
    info = ask(app, "GET", "/info")
    for answer in (encoded, found, info):
        assert answer.headers["x-sightline-bundle"] == version
        assert answer.headers["content-type"] == "application/json"
    assert info.json()["version"] == version
    assert info.json()["images"] == len(opened.items)


def test_probes_and_metrics_are_plain_text(app: App) -> None:
    for path in ("/livez", "/healthz", "/readyz"):
        answer = ask(app, "GET", path)
        assert (answer.status_code, answer.text) == (200, "\n")
        assert answer.headers["content-type"].startswith("text/plain")
    metrics = ask(app, "GET", "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=")
    page = ask(app, "GET", "/")
    assert page.headers["content-security-policy"] == "default-src 'none'; style-src 'self'"


def test_a_result_has_the_fields_that_are_promised(app: App, opened: Bundle) -> None:
    body = {"query": "a fox", "k": 1, "include_embeddings": True}
    [result] = ask(app, "POST", "/search", json=body).json()["results"]
    [item] = opened.items.get([opened.items.position_of(result["id"]) or 0])
    thumbnails = opened.manifest.files["thumbnails.sqlite"].sha256[:8]
    assert result["similarity"] == round(result["similarity"], 6)
    assert result == {
        "id": item.id,
        "image_path": item.image_path,
        "similarity": result["similarity"],
        "relevant": True,
        "alt_text": item.alt_text,
        "image_url": f"/images/{item.id}?size=thumbnail&v={thumbnails}",
        "caption": item.caption,
        "metadata": item.metadata,
        "sources": item.sources,
        "width": item.width,
        "height": item.height,
        "thumbhash": item.thumbhash,
        "embedding": opened.index.reconstruct(item.position).tolist(),
    }
    assert item.thumbhash
    del body["include_embeddings"]
    [plain] = ask(app, "POST", "/search", json=body).json()["results"]
    assert "embedding" not in plain
    answer = ask(app, "GET", f"/images/{item.id}/facts")
    found_only = {"similarity", "relevant"}
    assert answer.json() == {name: plain[name] for name in plain if name not in found_only}
    assert answer.headers["X-Sightline-Bundle"] == opened.manifest.version


def test_a_disk_that_fails_otherwise_is_nobody_s_upload(
    app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import errno
    import tempfile

    for number, status in [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)]:

        def fails(self: object, number: int = number) -> None:
            raise OSError(number, "no")

        monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", fails)
        answer = ask(app, "POST", "/search_by_image", files={"image": bytes(3 << 20)})
        assert answer.status_code == status


def test_who_hangs_up_before_all_is_said_is_counted_as_gone(app: App) -> None:
    messages = iter(
        [
            {"type": "http.request", "body": b'{"query": "a f', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        pass

    about = {"type": "http", "method": "POST", "path": "/search", "headers": []}
    asyncio.run(app(about, receive, send))
    told = ask(app, "GET", "/metrics").text
    assert 'request_total{endpoint="/search",http_response_code="499"} 1.0' in told


def test_a_form_has_one_file_and_few_fields(app: App) -> None:
    def said(**options: Any) -> str:
        answer = ask(app, "POST", "/search_by_image", **options)
        assert answer.status_code == 400
        message: str = error_of(answer)["message"]
        return message

    assert said(files={"image": b"x", "other": b"y"}) == (
        "the body is no multipart form: Too many files. Maximum number of files is 1."
    )
    most = len(ImageSearchRequest.model_fields)
    many = {f"field {number}": "1" for number in range(most + 1)}
    assert said(files={"image": b"x"}, data=many) == (
        f"the body is no multipart form: Too many fields. Maximum number of fields is {most}."
    )
    long = said(files={"image": b"x"}, data={"k": "1" * (FORM_FRAME + 1)})
    assert long == "the body is no multipart form: Part exceeded maximum size of 64KB."


def test_a_thumbnail_says_when_it_was_given(app: App) -> None:
    """In HTTP's form; behind BentoML nobody else does."""
    [hit] = ask(app, "POST", "/search", json={"query": "a fox", "k": 1}).json()["results"]
    thumbnail = ask(app, "GET", hit["image_url"])
    given = parsedate_to_datetime(thumbnail.headers["date"])
    assert thumbnail.headers["date"].endswith(" GMT")
    assert abs((given - datetime.now(UTC)).total_seconds()) < 3600


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
