"""The routes besides search: images, facts, probes, keys, overload."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.conftest import Serve


@pytest.fixture(scope="module")
def image(client: httpx.Client) -> dict[str, Any]:
    result: dict[str, Any] = client.post("/search", json={"query": "a guitar", "k": 1}).json()[
        "results"
    ][0]
    return result


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/docs.json", "/schema.json"])
def test_bentomls_own_routes_answer(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_the_documentation_names_the_searches(client: httpx.Client) -> None:
    assert {"/search", "/search_by_image", "/encode"} <= set(
        client.get("/docs.json").json()["paths"]
    )


def test_a_bentoml_client_can_search(client: httpx.Client) -> None:
    import bentoml

    with bentoml.SyncHTTPClient(str(client.base_url)) as typed:
        answer = typed.search(query="a guitar", k=2)
        parts = [{"text": "a guitar"}, {"text": "a drawing", "weight": -0.5}]
        less = typed.search(queries=parts, k=2)
    results = answer["results"] if isinstance(answer, dict) else answer.results
    assert len(results) == 2
    assert less == client.post("/search", json={"queries": parts, "k": 2}).json() != answer


def test_a_bentoml_client_can_send_an_image_and_more(
    client: httpx.Client, image: dict[str, Any], tmp_path: Path
) -> None:
    import bentoml

    file = tmp_path / "guitar.png"
    file.write_bytes(client.get(f"/images/{image['id']}").content)
    beside = [{"text": "a drum", "weight": 2}]
    with bentoml.SyncHTTPClient(str(client.base_url)) as typed:
        sent = typed.search_by_image(image=file, k=3, weight=0.5, queries=beside)
    like = {"like": image["id"], "weight": 0.5}
    same = client.post("/search", json={"queries": [like, *beside], "k": 3}).json()
    assert [one["id"] for one in sent["results"]] == [one["id"] for one in same["results"]]


def test_info_tells_the_model_and_no_local_path(client: httpx.Client) -> None:
    facts = client.get("/info").json()
    assert facts["model"]["embedding_dim"] > 0
    assert facts["images"] >= 500
    assert "image_root" not in facts


@pytest.mark.parametrize(
    "path",
    [
        "/image?path=../../etc/passwd",
        "/image?path=/etc/passwd",
        "/image?path=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/image?path=demo/../../../etc/passwd",
        "/image?path=captions.csv",
        "/images/../../etc/passwd",
        "/images/nosuchimage",
        "/images/",
    ],
)
def test_no_file_but_the_bundles_images_is_served(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "root:" not in response.text


def test_an_image_by_its_path(client: httpx.Client, image: dict[str, Any]) -> None:
    response = client.get("/image", params={"path": image["image_path"]})
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("image/")
    assert client.get("/image").status_code == 400


def test_thumbnails_are_kept_by_the_browser(client: httpx.Client, image: dict[str, Any]) -> None:
    first = client.get(image["image_url"])
    assert "immutable" in first.headers["Cache-Control"]
    again = client.get(image["image_url"], headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_another_method_is_told_the_right_one(client: httpx.Client) -> None:
    response = client.get("/search")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


def test_a_body_without_end_is_cut_off(client: httpx.Client) -> None:
    response = client.post("/search", content=b" " * (5 << 20))
    assert response.status_code == 413


def test_encode_gives_unit_vectors(client: httpx.Client) -> None:
    answer = client.post("/encode", json={"texts": ["a fox", "a house by the sea"]}).json()
    assert len(answer["embeddings"]) == 2
    for vector in answer["embeddings"]:
        assert len(vector) == answer["dim"]
        assert sum(value * value for value in vector) == pytest.approx(1, abs=1e-4)
    assert client.post("/encode", json={"texts": []}).status_code == 400
    assert client.post("/encode", json={"texts": ["ok", " "]}).json()["error"]["field"] == "texts.1"


def test_texts_sent_at_once_are_encoded_together_and_apart_all_the_same(
    client: httpx.Client,
) -> None:
    requests = [[f"image {number} {row}" for row in range(number % 3 + 1)] for number in range(60)]

    async def all_at_once() -> list[Any]:
        base = str(client.base_url)
        async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False) as crowd:
            sent = (crowd.post("/encode", json={"texts": texts}) for texts in requests)
            return [answer.json()["embeddings"] for answer in await asyncio.gather(*sent)]

    before = _batches(client)
    together = asyncio.run(all_at_once())
    assert _batches(client) - before <= 30, "two to a batch at the least"
    for texts, vectors in zip(requests, together, strict=True):
        assert vectors == client.post("/encode", json={"texts": texts}).json()["embeddings"]


def _batches(client: httpx.Client) -> float:
    name = 'bentoml_service_adaptive_batch_size_count{method_name="search"}'
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_requests_are_counted_by_route(client: httpx.Client, image: dict[str, Any]) -> None:
    client.get(image["image_url"])
    text = client.get("/metrics").text
    assert 'bentoml_service_request_total{endpoint="/images/{id}"' in text
    assert "sightline_encode_seconds_bucket" in text
    assert "sightline_search_seconds_bucket" in text
    assert image["id"] not in text


def test_a_key_is_asked_for_everywhere_but_at_the_probes(serve: Serve) -> None:
    with serve(SIGHTLINE_API_KEY="s3cret") as client:
        right = {"Authorization": "Bearer s3cret"}
        for method, path in [("POST", "/search"), ("GET", "/info"), ("GET", "/docs.json")]:
            refused = client.request(method, path, json={"query": "a fox"})
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            wrong = {"Authorization": "Bearer s3cre"}
            assert client.request(method, path, headers=wrong).status_code == 401
        assert client.get("/readyz").status_code == 200
        response = client.post("/search", json={"query": "a fox"}, headers=right)
        assert response.status_code == 200


def test_too_many_at_once_are_sent_away_politely(serve: Serve) -> None:
    async def crowd(base_url: str) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(
            base_url=base_url, limits=limits, timeout=30, trust_env=False
        ) as client:
            return await asyncio.gather(
                *(client.post("/search", json={"query": f"fox {n}"}) for n in range(100))
            )

    with serve(SIGHTLINE_MAX_QUEUE="4", SIGHTLINE_MAX_BATCH_SIZE="2") as client:
        responses = asyncio.run(crowd(str(client.base_url)))
        assert {response.status_code for response in responses} == {200, 429}
        refused = [response for response in responses if response.status_code == 429]
        assert all(response.headers["Retry-After"] == "1" for response in refused)
        assert client.post("/search", json={"query": "a fox"}).status_code == 200


def test_the_cache_counts_what_was_asked_and_nothing_else(serve: Serve) -> None:
    def counted(client: httpx.Client) -> dict[str, float]:
        text = client.get("/metrics").text
        return {
            kind: float(re.findall(rf"^sightline_cache_{kind}_total (\S+)$", text, re.MULTILINE)[0])
            for kind in ("hits", "misses")
        }

    with serve() as client:
        assert counted(client) == {"hits": 0, "misses": 0}
        for query in ("a fox", "  A   Fox ", "a guitar"):
            assert client.post("/search", json={"query": query}).status_code == 200
        assert counted(client) == {"hits": 1, "misses": 2}
    with serve(SIGHTLINE_CACHE_SIZE="0") as client:
        for _ in range(2):
            client.post("/search", json={"query": "a fox"})
        assert counted(client) == {"hits": 0, "misses": 2}
