"""The application in this very process, over a small bundle."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn

from build.bundle_from_images import IndexOptions, build_index
from models.bundle import Bundle
from models.milvus.address import Address
from serving.app import App, create_app
from serving.connection import Connection
from serving.server import listen
from serving.settings import Settings
from tests.build.images import image_bytes
from tests.tiny_package import write_tiny_package

T = TypeVar("T")

DIFFERENT = 70
# Every image lies there three times, so that every answer has equals in it.
COPIES = 3

# The address of a collection in Milvus, where the tests' applications then search.
ELSEWHERE = os.environ.get("SIGHTLINE_TEST_COLLECTION")
# What Milvus is not asked for, and a test that looks inside of how the local one is searched.
_ONLY_HERE = (
    *("test_evaluated.py", "test_facets.py", "test_folding.py", "test_modes.py", "test_order.py"),
    *("test_spelling.py", "test_who_has_hung_up_is_not_searched_for"),
)

Make = Callable[..., App]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is only done here, where another place is searched."""
    if ELSEWHERE is not None:
        items[:] = [item for item in items if not any(part in item.nodeid for part in _ONLY_HERE)]


def build_bundle(folder: Path, *, seed: int = 0) -> Path:
    """A bundle of ``3 * DIFFERENT`` images with metadata; another seed gives another model."""
    package = folder / "package"
    write_tiny_package(package, seed=seed, pretrained="random")
    images = folder / "images"
    images.mkdir()
    with (images / "captions.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image_path", "caption", "year", "kind"])
        for number in range(DIFFERENT):
            for copy in range(COPIES):
                name = f"{number:02}-{copy}.png"
                (images / name).write_bytes(image_bytes(number))
                kind = "odd" if number % 2 else "even"
                rows.writerow([name, f"blobs number {number}", 1950 + number, kind])
    build_index(IndexOptions(output=folder / "bundle", model=package, images=images, threads=1))
    return folder / "bundle"


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests must not alter it."""
    return build_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def opened(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


@pytest.fixture(scope="session")
def searched(opened: Bundle) -> Bundle:
    """The same bundle, as an application gets it."""
    if ELSEWHERE is None:
        return opened
    from tests.milvus.collections import elsewhere

    return elsewhere(opened, Address.parse(ELSEWHERE))


@pytest.fixture
def make(opened: Bundle, searched: Bundle) -> Iterator[Make]:
    """Make an application with settings of one's own: ``make(max_queue=3)``."""
    made: list[App] = []

    def create(bundle: Bundle = opened, **settings: Any) -> App:
        if bundle is opened:
            bundle = searched
        open_bundle = settings.pop("open_bundle", None)
        tracing = settings.pop("tracing", None)
        app = create_app(Settings(**settings), bundle, open_bundle=open_bundle, tracing=tracing)
        made.append(app)
        return app

    yield create
    for app in made:
        app.close()


@pytest.fixture
def app(make: Make) -> App:
    return make()


@contextlib.contextmanager
def listening(app: App) -> Iterator[int]:
    """The port on which an application answers, over real sockets."""
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, http=Connection, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def client_of(app: App) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://sightline")


def with_client(app: App, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """What some work with a client comes to."""

    async def run() -> T:
        async with client_of(app) as client:
            return await work(client)

    return asyncio.run(run())


def ask(app: App, method: str, path: str, **options: Any) -> httpx.Response:
    """One request and its answer."""
    return with_client(app, lambda client: client.request(method, path, **options))


def search(app: App, **body: Any) -> list[dict[str, Any]]:
    response = ask(app, "POST", "/search", json=body)
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of an answer, which has the one shape."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"field", "message"}
    assert body["error"]["message"]
    assert response.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error
