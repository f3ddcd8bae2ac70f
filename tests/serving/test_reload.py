"""Another bundle in the place of the one in use, while requests go on."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.bundle import Bundle, Scrubbed
from models.manifest import MANIFEST, DamagedError
from serving.app import App
from serving.bundle_opening import open_bundle
from serving.settings import Settings
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask, build_bundle, client_of, error_of, with_client

KEY = {"Authorization": "Bearer k"}


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images by another model."""
    return build_bundle(tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture
def place(tmp_path: Path, tiny_bundle: Path) -> Path:
    """Where a bundle is served from; :func:`put` puts another there."""
    served = tmp_path / "served"
    shutil.copytree(tiny_bundle, served)
    return served


def put(bundle: Path, place: Path) -> None:
    """As the build publishes: the old folder goes, the new one takes its name."""
    place.rename(place.with_name("old"))
    shutil.copytree(bundle, place.with_name("new"))
    place.with_name("new").rename(place)
    shutil.rmtree(place.with_name("old"))


def serving(make: Make, place: Path, **settings: Any) -> App:
    options = Settings(bundle=str(place), api_keys="k", threads=1)
    return make(
        Bundle.open(place),
        api_keys="k",
        open_bundle=lambda: open_bundle(options, fresh=True),
        **settings,
    )


def test_a_bundle_that_is_replaced_changes_nothing_until_it_is_asked_for(
    make: Make, place: Path, other_bundle: Path
) -> None:
    app = serving(make, place)

    def results(number: int) -> Any:
        sent = {"image": image_bytes(number)}
        answer = ask(app, "POST", "/search_by_image", files=sent, data={"k": "5"}, headers=KEY)
        assert answer.status_code == 200, answer.text
        return [(hit["id"], hit["similarity"]) for hit in answer.json()["results"]]

    version = ask(app, "GET", "/info", headers=KEY)
    assert version.json()["version"] == version.headers["x-sightline-bundle"]
    put(other_bundle, place)
    # Also what is only loaded at its first use, the image encoder, is the old one's.
    before = results(3)
    assert before[0][1] == 1.0

    answer = ask(app, "POST", "/reload", headers=KEY)
    assert answer.json() == {"version": Bundle.open(other_bundle).manifest.version, "changed": True}
    after = results(3)
    assert after[0][1] == 1.0
    assert after != before
    changed = ask(app, "GET", "/info", headers=KEY).headers["x-sightline-bundle"]
    assert changed != version.headers["x-sightline-bundle"]
    assert ask(app, "POST", "/reload", headers=KEY).json()["changed"] is False


@pytest.mark.parametrize(
    "harm",
    [
        lambda place: shutil.rmtree(place),
        lambda place: (place / MANIFEST).unlink(),
        lambda place: (place / "text_encoder.onnx").write_bytes(b"nonsense"),
    ],
)
def test_a_bundle_that_is_not_whole_is_not_taken(
    make: Make, place: Path, other_bundle: Path, harm: Callable[[Path], object]
) -> None:
    app = serving(make, place)
    put(other_bundle, place)
    harm(place)
    refused = ask(app, "POST", "/reload", headers=KEY)
    assert refused.status_code == 409
    assert str(place) in error_of(refused)["message"]
    assert ask(app, "GET", "/readyz").status_code == 200
    answer = ask(app, "POST", "/search", json={"query": "a fox"}, headers=KEY)
    assert answer.status_code == 200


def test_no_request_fails_and_none_is_answered_by_both(
    make: Make, tiny_bundle: Path, other_bundle: Path
) -> None:
    folders = [tiny_bundle, other_bundle]
    app = make(Bundle.open(tiny_bundle))
    alone = {}
    for folder in folders:
        bundle = Bundle.open(folder)
        found = with_client(make(bundle), lambda client: _results(client, 0))[1]
        alone[bundle.manifest.version] = found
    seen = set()

    async def run() -> None:
        async with client_of(app) as client:
            stop = False

            async def user() -> None:
                while not stop:
                    version, found = await _results(client, 0)
                    assert found == alone[version]
                    seen.add(version)

            users = [asyncio.ensure_future(user()) for _ in range(16)]
            for turn in range(20):
                await app.use(await asyncio.to_thread(Bundle.open, folders[(turn + 1) % 2]))
                await asyncio.sleep(0.01)
            stop = True
            await asyncio.gather(*users)

    asyncio.run(run())
    assert seen == set(alone)


def test_what_was_in_use_is_let_go_of(make: Make, tiny_bundle: Path) -> None:
    app = make(Bundle.open(tiny_bundle))

    def held() -> tuple[int, int]:
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        return descriptors, threading.active_count()

    async def swap(times: int) -> None:
        for _ in range(times):
            await app.use(await asyncio.to_thread(Bundle.open, tiny_bundle))
            async with client_of(app) as client:
                assert (await client.post("/search", json={"query": "a fox"})).status_code == 200

    asyncio.run(swap(3))
    before = held()
    asyncio.run(swap(10))
    for _ in range(500):
        if held() <= before:
            break
        time.sleep(0.01)
    assert held()[0] <= before[0]
    assert held()[1] <= before[1] + 1


async def _results(client: httpx.AsyncClient, number: int) -> tuple[str, list[Any]]:
    answer = await client.post("/search", json={"query": f"a fox {number}", "k": 10})
    assert answer.status_code == 200, answer.text
    return answer.headers["x-sightline-bundle"], answer.json()["results"]


def test_the_place_is_watched(
    make: Make, place: Path, other_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.reload._LOOK_EVERY_SECONDS", 0.02)
    app = serving(make, place)
    wanted = Bundle.open(other_bundle).manifest.version

    async def run() -> None:
        app.reloader.watch(place)
        await asyncio.sleep(0.1)
        await asyncio.to_thread(put, other_bundle, place)
        for _ in range(500):
            if app.state.version == wanted:
                break
            await asyncio.sleep(0.02)
        app.reloader.close()

    asyncio.run(run())
    assert app.state.version == wanted


def test_only_who_has_a_key_may_ask_for_it(make: Make) -> None:
    refused = ask(make(), "POST", "/reload")
    assert refused.status_code == 403
    assert "SIGHTLINE_API_KEYS" in error_of(refused)["message"]


def test_damage_that_is_found_later_takes_readiness_away(
    make: Make, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scrub(self: Bundle) -> Iterator[Scrubbed]:
        yield Scrubbed(1, 2)
        raise DamagedError("items.sqlite is damaged")

    app = make()

    async def run() -> list[int]:
        async with client_of(app) as client:
            before = await client.get("/readyz")
            monkeypatch.setattr(Bundle, "scrub", scrub)
            await app.use(Bundle.open(tiny_bundle))
            for _ in range(500):
                if not app.state.ready:
                    break
                await asyncio.sleep(0.01)
            damaged = await client.get("/readyz")
            search = await client.post("/search", json={"query": "a fox"})
            monkeypatch.undo()
            await app.use(Bundle.open(tiny_bundle))
            whole = await client.get("/readyz")
            return [one.status_code for one in (before, damaged, search, whole)]

    assert asyncio.run(run()) == [200, 503, 200, 200]
