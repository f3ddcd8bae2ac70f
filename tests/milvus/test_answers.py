"""The gallery searched in Milvus answers as it does here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from build.load import load, write_front
from models.bundle import Bundle
from models.milvus.collection import MilvusCollection
from serving.app import App, create_app
from serving.settings import Settings
from tests.milvus.collections import Place, wait_for
from tests.serving.conftest import ask, client_of, error_of

FILTERS: list[dict[str, Any]] = [
    {"kind": "photograph"},
    {"kind": {"in": ["photograph", "drawing"]}, "author": {"exists": True}},
    {"author": {"prefix": "N"}, "title": {"gte": "D"}},
    {"licence": {"not_in": ["public domain"]}},
]


@pytest.fixture(scope="module")
def local(demo: Bundle) -> Iterator[App]:
    app = create_app(Settings(), demo)
    yield app
    app.close()


@pytest.fixture(scope="module")
def front(demo: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a service needs beside Milvus: no images."""
    folder = tmp_path_factory.mktemp("front") / "front"
    write_front(demo, folder)
    return folder


@pytest.fixture(scope="module")
def far(demo: Bundle, front: Path, place: Place) -> Iterator[App]:
    address = place("gallery")
    load(demo, address, None, None)
    wait_for(address, demo, len(demo.items))
    bundle = Bundle.open(front, elsewhere=lambda own: MilvusCollection(address, own))
    app = create_app(Settings(), bundle)
    yield app
    app.close()
    bundle.close()


def answers(app: App, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    async def run() -> list[httpx.Response]:
        async with client_of(app) as client:
            return [await client.post("/search", json=body) for body in bodies]

    found = asyncio.run(run())
    assert {response.status_code for response in found} == {200}, found[0].text
    return [response.json() for response in found]


def assert_same(local: App, far: App, bodies: list[dict[str, Any]]) -> None:
    for body, ours, theirs in zip(
        bodies, answers(local, bodies), answers(far, bodies), strict=True
    ):
        assert ours.get("warnings") == theirs.get("warnings"), body
        assert ours.get("total_relevant") == theirs.get("total_relevant"), body
        for one, other in zip(ours["results"], theirs["results"], strict=True):
            assert one["id"] == other["id"], body
            assert one["similarity"] == pytest.approx(other["similarity"], abs=2e-6)
            for field in ("image_path", "caption", "alt_text", "metadata", "sources", "relevant"):
                assert one[field] == other[field]


def test_every_caption_finds_the_same(local: App, far: App, demo: Bundle) -> None:
    captions = list(dict.fromkeys(item.caption for item in demo.items if item.caption))
    # Milvus Lite looks at every row in Python for a filter, so only some have one.
    bodies: list[dict[str, Any]] = [
        {"query": caption, "k": 10}
        | ({"filter": FILTERS[number // 8 % len(FILTERS)]} if number % 8 == 0 else {})
        for number, caption in enumerate(captions)
    ]
    assert len(bodies) > 300
    assert_same(local, far, bodies)


def test_whatever_is_asked_is_answered_the_same(local: App, far: App, demo: Bundle) -> None:
    liked = [item.id for item in demo.items.get([3, 77])]
    assert_same(
        local,
        far,
        [
            {"like": liked[0]},
            {"like": liked[0], "query": "in the snow", "k": 40},
            {"query": "a dog", "negative": "a drawing", "k": 20},
            {"queries": [{"like": liked[1], "weight": 0.5}, {"text": "a cat", "weight": -0.3}]},
            {"query": "fox - photo", "syntax": "algebra"},
            {"query": "a red fox", "min_similarity": 0.5, "k": 50},
            {"query": "a red fox", "offset": 7, "k": 7},
            {"query": "a red fox", "offset": 0, "k": 300, "filter": {"kind": "photograph"}},
            {"query": "a red fox", "k": 1000},
            {"query": "a red fox", "diversity": 0.3, "k": 20},
            {"query": "a red fox", "filter": {}},
            {"query": "a red fox", "filter": {"kind": {"gt": 3}, "nothing": {"exists": False}}},
            {"query": "a red fox", "filter": {"kind": {"gt": 3, "lt": "a"}}},
        ],
    )


def test_an_image_that_is_sent_finds_the_same(local: App, far: App) -> None:
    image = Path("demo/gallery/animals/pika.jpg").read_bytes()
    found = [
        ask(app, "POST", "/search_by_image", files={"image": image}, data={"k": "9"}).json()
        for app in (local, far)
    ]
    here, there = ([one["id"] for one in each["results"]] for each in found)
    assert here == there
    assert len(here) == 9


def test_embeddings_come_along(local: App, far: App) -> None:
    body = {"query": "a red fox", "include_embeddings": True, "k": 3}
    ours, theirs = answers(local, [body])[0], answers(far, [body])[0]
    assert [one["embedding"] for one in ours["results"]] == [
        one["embedding"] for one in theirs["results"]
    ]


def test_an_image_is_found_by_its_id_and_by_its_path(far: App, demo: Bundle) -> None:
    [item] = demo.items.get([5])
    facts = ask(far, "GET", f"/images/{item.id}/facts").json()
    assert facts["image_path"] == item.image_path
    assert ask(far, "GET", '/images/" or id > "/facts').status_code == 404
    for path, status in (("no/such.jpg", 404), ('" or ""=="', 404)):
        assert ask(far, "GET", "/image", params={"path": path}).status_code == status


def test_there_are_no_thumbnails_without_the_bundle(far: App, demo: Bundle, place: Place) -> None:
    [item] = demo.items.get([5])
    address = f"/images/{item.id}?size=thumbnail"
    assert ask(far, "GET", address).status_code == 404
    where = place("gallery")
    whole = Bundle.open(demo.folder, elsewhere=lambda own: MilvusCollection(where, own))
    app = create_app(Settings(), whole)
    try:
        assert ask(app, "GET", address).content == demo.thumbnails.get(5)
    finally:
        app.close()
        whole.close()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": "fox", "mode": "text"}, "mode"),
        ({"query": "fox", "sort": "path"}, "sort"),
        ({"query": "fox", "facets": ["kind"]}, "facets"),
        ({"query": "fxo", "spelling": True}, "spelling"),
    ],
)
def test_what_milvus_cannot_do_is_told(far: App, body: dict[str, Any], field: str) -> None:
    response = ask(far, "POST", "/search", json=body)
    assert response.status_code == 501
    error = error_of(response)
    assert error["field"] == field
    assert "Milvus" in error["message"]
