"""What is found, against what the bundle's own vectors say."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle import Bundle
from models.relevance import relevant
from serving.app import App
from serving.planner import NEGATIVE_WEIGHT
from tests.serving.conftest import COPIES, DIFFERENT, Make, ask, search, with_client

Vector = NDArray[np.float32]

QUERY = "a red fox in the snow"
OTHER = "a house by the sea"


def vectors_of(bundle: Bundle) -> Vector:
    return np.array([bundle.index.reconstruct(row) for row in range(len(bundle.index))])


def text(bundle: Bundle, words: str) -> Vector:
    vector: Vector = bundle.text_encoder.encode(bundle.tokenizer.encode([words]))[0]
    return vector


def unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)


def expected(bundle: Bundle, sought: Vector, k: int) -> list[tuple[str, float]]:
    """Ids and cosines of the ``k`` nearest; of equals those that were indexed first."""
    cosines = vectors_of(bundle) @ unit(sought)
    order = sorted(range(len(cosines)), key=lambda row: (-round(float(cosines[row]), 5), row))[:k]
    items = bundle.items.get(order)
    return [(item.id, float(cosines[row])) for item, row in zip(items, order, strict=True)]


def assert_found(results: list[dict[str, Any]], bundle: Bundle, sought: Vector, k: int) -> None:
    wanted = expected(bundle, sought, k)
    assert [result["id"] for result in results] == [image for image, _ in wanted]
    for result, (_, cosine) in zip(results, wanted, strict=True):
        assert result["similarity"] == pytest.approx(cosine, abs=2e-6)


@pytest.mark.parametrize("k", [1, 2, 5, 19, 20, 21, 22, 99, 100])
def test_a_text_finds_the_nearest(app: App, opened: Bundle, k: int) -> None:
    assert_found(search(app, query=QUERY, k=k), opened, text(opened, QUERY), k)


def test_what_is_not_wanted_is_taken_off_by_half(app: App, opened: Bundle) -> None:
    sought = text(opened, QUERY) - 0.5 * text(opened, OTHER)
    assert_found(search(app, query=QUERY, negative=OTHER, k=30), opened, sought, 30)
    assert NEGATIVE_WEIGHT == 0.5


def test_an_image_and_a_text_together_are_what_lies_between(app: App, opened: Bundle) -> None:
    position = 100
    [item] = opened.items.get([position])
    sought = text(opened, QUERY) + opened.index.reconstruct(position)
    results = search(app, query=QUERY, like=item.id, k=30)
    assert_found(results, opened, sought, 30)
    assert [result["id"] for result in results] != [
        result["id"] for result in search(app, query=QUERY, k=30)
    ]


def test_an_image_alone_finds_itself_and_its_copies(app: App, opened: Bundle) -> None:
    [item] = opened.items.get([30])
    results = search(app, like=item.id, k=4)
    assert [result["similarity"] for result in results[:COPIES]] == [1.0] * COPIES
    assert_found(results, opened, opened.index.reconstruct(30), 4)


def test_an_image_that_is_sent_finds_itself(app: App, opened: Bundle) -> None:
    [item] = opened.items.get([33])
    image = ask(app, "GET", f"/images/{item.id}")
    assert image.headers["content-type"] == "image/png"
    response = ask(app, "POST", "/search_by_image", files={"image": image.content}, data={"k": "3"})
    results = response.json()["results"]
    assert item.id in [result["id"] for result in results]
    assert [result["similarity"] for result in results] == [1.0] * COPIES


def test_a_filter_keeps_to_what_it_names(app: App, opened: Bundle) -> None:
    results = search(app, query=QUERY, k=100, filter={"kind": "odd"})
    odd = {item.id for item in opened.items if item.metadata["kind"] == "odd"}
    wanted = [one for one in expected(opened, text(opened, QUERY), 3 * DIFFERENT) if one[0] in odd]
    assert [result["id"] for result in results] == [image for image, _ in wanted[:100]]


def test_what_is_relevant_follows_the_rule(app: App, opened: Bundle) -> None:
    mean = vectors_of(opened).mean(axis=0)
    background_matters = False
    for position in range(0, 60, 3):
        sought = opened.index.reconstruct(position)
        [item] = opened.items.get([position])
        wanted = expected(opened, sought, 100)
        cosines = np.array([cosine for _, cosine in wanted], dtype=np.float32)
        flags = [result["relevant"] for result in search(app, like=item.id, k=100)]
        assert flags == relevant(cosines, float(mean @ sought)).tolist()
        background_matters |= flags != relevant(cosines, 0.0).tolist()
        assert True in flags
        assert False in flags
    assert background_matters


def test_a_neighbour_changes_nothing(app: App) -> None:
    """Every k, each kind of question: alone as in a crowd that shares its batch."""
    some = search(app, query=QUERY, k=100)
    questions: list[dict[str, Any]] = [
        {"query": f"{QUERY} {number % 7}", "k": number} for number in range(1, 101)
    ]
    questions += [{"like": result["id"], "k": 7} for result in some[:20]]
    questions += [
        {"query": f"{OTHER} {year}", "k": 9, "filter": {"year": {"gte": year}}}
        for year in range(1960, 1980)
    ]
    questions += [{"query": OTHER, "negative": f"{QUERY} {number}"} for number in range(10)]

    async def together(client: httpx.AsyncClient) -> list[Any]:
        sent = (client.post("/search", json=question) for question in questions)
        return [answer.json()["results"] for answer in await asyncio.gather(*sent)]

    for question, crowded in zip(questions, with_client(app, together), strict=True):
        assert crowded == search(app, **question), question


def test_a_shorter_answer_is_the_beginning_of_a_longer_one(app: App) -> None:
    longest = search(app, query=QUERY, k=100)
    for k in range(1, 100):
        assert search(app, query=QUERY, k=k) == longest[:k]


def test_texts_are_encoded_as_searches_encode_them(app: App, opened: Bundle) -> None:
    texts = [f"{QUERY} {number}" for number in range(200)]
    answer = ask(app, "POST", "/encode", json={"texts": texts}).json()
    assert answer["dim"] == opened.index.dim
    np.testing.assert_allclose(
        np.array(answer["embeddings"], dtype=np.float32),
        opened.text_encoder.encode(opened.tokenizer.encode(texts)),
        atol=1e-6,
    )


def test_vectors_are_sent_on_request(app: App, opened: Bundle) -> None:
    [first, *_] = search(app, query=QUERY, include_embeddings=True)
    position = opened.items.position_of(first["id"])
    assert position is not None
    assert first["embedding"] == opened.index.reconstruct(position).tolist()


def test_what_is_below_the_least_similarity_is_left_out(app: App) -> None:
    everything = search(app, query=QUERY, k=50)
    least = everything[20]["similarity"]
    kept = search(app, query=QUERY, k=50, min_similarity=least - 1e-6)
    assert kept == [one for one in everything if one["similarity"] >= least - 1e-6]


def test_a_query_that_was_asked_before_is_answered_alike(make: Make) -> None:
    remembering, forgetting = make(), make(cache_size=0)
    for _ in range(2):
        assert search(remembering, query=QUERY) == search(forgetting, query=QUERY)


def test_a_condition_that_no_image_can_meet_is_told(app: App) -> None:
    answer = ask(app, "POST", "/search", json={"query": QUERY, "filter": {"yaer": 1960}}).json()
    assert answer["results"] == []
    assert "yaer" in answer["warnings"][0]
    # Not where there is nothing to tell: clients of the older system know of no such field.
    plain = ask(app, "POST", "/search", json={"query": QUERY, "filter": {"year": 1960}}).json()
    assert set(plain) == {"results"}


@pytest.mark.parametrize("asked", [{}, {"filter": {"kind": "odd"}}, {"min_similarity": 0.0}])
def test_pages_are_one_list_cut_into_pieces(
    app: App, opened: Bundle, asked: dict[str, Any]
) -> None:
    """All are copies of others, so that every border lies between equals somewhere."""
    pages = [
        ask(app, "POST", "/search", json={"query": QUERY, "k": 7, "offset": offset, **asked}).json()
        for offset in range(0, 3 * DIFFERENT + 7, 7)
    ]
    paged = [result for page in pages for result in page["results"]]
    met = search(app, query=QUERY, k=100, **asked)
    assert paged[: len(met)] == met
    ids = [result["id"] for result in paged]
    assert len(set(ids)) == len(ids)
    cosines = expected(opened, text(opened, QUERY), 3 * DIFFERENT)
    if not asked:
        assert ids == [image for image, _ in cosines]
    if "min_similarity" in asked:
        assert 0 < len(ids) == sum(cosine >= 0 for _, cosine in cosines) < 3 * DIFFERENT
    # On every page, whatever is on it, the last of which is empty.
    assert pages[-1]["results"] == []
    shown = sum(result["relevant"] for result in paged)
    assert {page["total_relevant"] for page in pages} == {shown}
    assert shown > 0


def test_the_relevant_are_counted_only_for_who_pages(app: App, opened: Bundle) -> None:
    body = {"query": QUERY, "k": 3}
    plain = ask(app, "POST", "/search", json=body).json()
    assert set(plain) == {"results"}
    assert ask(app, "POST", "/search", json=body | {"offset": None}).json() == plain
    first = ask(app, "POST", "/search", json=body | {"offset": 0}).json()
    assert first["results"] == plain["results"]
    [item] = opened.items.get([33])
    files = {"image": ask(app, "GET", f"/images/{item.id}").content}
    sent = ask(app, "POST", "/search_by_image", files=files, data={"k": "2", "offset": "1"}).json()
    like = ask(app, "POST", "/search", json={"like": item.id, "k": 2, "offset": 1}).json()
    assert [one["id"] for one in sent["results"]] == [one["id"] for one in like["results"]]
    assert sent["total_relevant"] == like["total_relevant"] >= COPIES
