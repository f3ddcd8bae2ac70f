"""What clip-retrieval's client sends, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from models.bundle import Bundle
from serving.app import App
from serving.protocols.clip_retrieval import _without_duplicates
from tests import clip_client
from tests.build.images import image_bytes
from tests.serving.conftest import COPIES, Make, ask, error_of, listening, search

Client = Callable[..., Any]


@pytest.fixture
def app(make: Make) -> App:
    return make(protocols="clip-retrieval")


@pytest.fixture
def client(app: App) -> Iterator[Client]:
    with listening(app) as port:
        address = f"http://127.0.0.1:{port}/knn-service"

        def make_client(**options: Any) -> Any:
            return clip_client.load().ClipClient(address, "sightline", **options)

        yield make_client


def knn(app: App, **body: Any) -> list[dict[str, Any]]:
    response = ask(app, "POST", "/knn-service", json=body)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()
    return found


def test_a_text_finds_what_a_search_finds(client: Client, app: App, opened: Bundle) -> None:
    found = client(num_images=7, deduplicate=False).query(text="a red fox")
    expected = search(app, query="a red fox", k=7)
    assert [one["image_path"] for one in found] == [one["image_path"] for one in expected]
    assert [one["similarity"] for one in found] == [one["similarity"] for one in expected]
    first, [item] = found[0], opened.items.get([found[0]["id"]])
    assert first["caption"] == item.caption
    assert first["year"] == item.metadata["year"]
    assert httpx.get(first["url"]).headers["content-type"] == "image/webp"


def test_an_image_and_a_vector_find_the_image(
    client: Client, opened: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(image_bytes(3))
    found = client(num_images=3, deduplicate=False).query(image=str(tmp_path / "photo.png"))
    assert {one["image_path"] for one in found} == {f"03-{copy}.png" for copy in range(COPIES)}
    assert found[0]["similarity"] == pytest.approx(1, abs=1e-4)
    vector = (5 * opened.index.reconstruct(found[0]["id"])).tolist()
    near = client(num_images=3, deduplicate=False).query(embedding_input=vector)
    assert [one["id"] for one in near] == [one["id"] for one in found]
    assert near[0]["similarity"] == pytest.approx(1, abs=1e-4)


def test_of_duplicates_the_first_is_left(client: Client) -> None:
    everything = client(num_images=60, deduplicate=False).query(text="a red fox")
    left = client(num_images=60).query(text="a red fox")
    assert {one["image_path"][:2] for one in left} <= {one["image_path"][:2] for one in everything}
    # Each image is there three times, of which the first comes first.
    assert 1 < len(left) <= 60 / COPIES
    assert all(one["image_path"].endswith("-0.png") for one in left)


def test_a_duplicate_is_like_one_before_it_left_or_not() -> None:
    like, unlike = np.arccos([0.945, 0.935])
    chain = [0, like, 2 * like, 2 * like + unlike]
    vectors = np.array([np.cos(chain), np.sin(chain)], dtype=np.float32).T
    collection = SimpleNamespace(vectors=lambda positions: vectors[positions])
    engine: Any = SimpleNamespace(bundle=SimpleNamespace(collection=collection))
    hits: list[Any] = [SimpleNamespace(item=SimpleNamespace(position=n)) for n in range(4)]
    left = _without_duplicates(engine, hits)
    assert [hit.item.position for hit in left] == [0, 3]
    assert _without_duplicates(engine, []) == []


def test_metadata_is_found_by_id(app: App, opened: Bundle) -> None:
    assert ask(app, "GET", "/indices-list").json() == ["sightline"]
    [first, second] = knn(app, text="a red fox", num_images=2)
    body = {"ids": [second["id"], first["id"]], "indice_name": "sightline"}
    told = ask(app, "POST", "/metadata", json=body).json()
    assert [one["id"] for one in told] == body["ids"]
    fields = {name: first[name] for name in first if name not in ("id", "similarity")}
    assert told[1]["metadata"] == fields
    assert ask(app, "POST", "/metadata", json={"ids": []}).json() == []
    response = ask(app, "POST", "/metadata", json={"ids": [len(opened.items)]})
    assert response.status_code == 404
    assert error_of(response)["field"] == "ids"


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, None, "text, image or embedding_input is needed"),
        ({"text": " "}, None, "text, image or embedding_input is needed"),
        ({"image_url": "http://example.org/x.jpg"}, "image_url", "no address is fetched"),
        ({"text": "x", "indice_name": "laion5B"}, "indice_name", "'sightline'"),
        ({"text": "x", "modality": "text"}, "modality", "'image'"),
        ({"text": "x", "use_mclip": True}, "use_mclip", "False"),
        ({"text": "x", "num_images": 1001}, "num_images", "less than or equal to 1000"),
        ({"embedding_input": [1.0]}, "embedding_input", "it has 1 numbers, and vectors have "),
    ],
)
def test_what_is_not_answered_is_told(
    app: App, body: dict[str, Any], field: str | None, message: str
) -> None:
    response = ask(app, "POST", "/knn-service", json=body)
    assert response.status_code == 400
    error = error_of(response)
    assert error["field"] == field
    assert message in error["message"]


def test_a_vector_points_somewhere(app: App, opened: Bundle) -> None:
    dim = opened.index.dim
    assert ask(app, "POST", "/knn-service", json={"embedding_input": [0] * dim}).status_code == 400
    # Whose square no float holds.
    assert len(knn(app, embedding_input=[1e200] * dim, num_images=3)) == 3


def test_a_long_text_is_read_as_far_as_a_query_goes(app: App) -> None:
    words = "a red fox " * 200
    assert knn(app, text=words) == knn(app, text=words[:1000])
