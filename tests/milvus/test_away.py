"""Milvus goes away under requests, and comes back."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import httpx

from build.load import BundleImages, load
from models.bundle import Bundle
from models.milvus.address import Address
from models.milvus.collection import MilvusCollection
from serving.app import App, create_app
from serving.settings import Settings
from tests.milvus.collections import Server, wait_for
from tests.serving.conftest import ask, client_of, error_of


def test_it_is_killed_under_requests_and_comes_back(server: Server, demo: Bundle) -> None:
    address = server.address("away")
    load(BundleImages(demo), address, None, None)
    wait_for(address, demo, len(demo.items))
    bundle = Bundle.open(demo.folder, elsewhere=partial(MilvusCollection, address))
    app = create_app(Settings(), bundle)
    answers: list[httpx.Response] = []

    async def keep_asking(client: httpx.AsyncClient, done: asyncio.Event) -> None:
        number = 0
        while not done.is_set():
            number += 1
            kept = {"filter": {"kind": "photograph"}} if number % 2 else {}
            body = {"query": f"a fox {number}", "k": 3, **kept}
            answers.append(await client.post("/search", json=body))
            await asyncio.sleep(0.05)

    async def run() -> None:
        async with client_of(app) as client:
            done = asyncio.Event()
            askers = [asyncio.create_task(keep_asking(client, done)) for _ in range(4)]
            await _until(lambda: len(answers) > 20)
            await asyncio.to_thread(server.kill)
            await _until(lambda: answers[-1].status_code == 503)
            # What needs no images is answered all the same.
            encoded = await client.post("/encode", json={"texts": ["a fox"]})
            assert encoded.status_code == 200
            assert (await client.get("/readyz")).status_code == 200
            await asyncio.to_thread(server.start_again)
            await _until(lambda: all(one.status_code == 200 for one in answers[-8:]))
            done.set()
            await asyncio.gather(*askers)

    try:
        asyncio.run(run())
    finally:
        app.close()
        bundle.close()
    assert {one.status_code for one in answers} == {200, 503}
    for one in answers:
        if one.status_code == 503:
            assert one.headers["retry-after"] == "1"
            assert "does not answer" in error_of(one)["message"] or (
                "has not answered" in error_of(one)["message"]
            )
    assert len(answers[-1].json()["results"]) == 3


def test_a_service_starts_without_it(demo: Bundle) -> None:
    address = Address.parse("milvus+http://127.0.0.1:9/photos")

    async def start() -> App:
        app = App(Settings())
        await app.use(Bundle.open(demo.folder, elsewhere=partial(MilvusCollection, address)))
        return app

    app = asyncio.run(start())
    try:
        for method, path, more in (
            ("POST", "/search", {"json": {"query": "a fox"}}),
            ("POST", "/search", {"json": {"query": "a fox", "filter": {"kind": "x"}}}),
            ("POST", "/search", {"json": {"like": "0" * 16}}),
            ("GET", f"/images/{'0' * 16}", {}),
        ):
            response = ask(app, method, path, **more)
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
    finally:
        app.close()


async def _until(met: object, seconds: float = 150) -> None:
    assert callable(met)
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
