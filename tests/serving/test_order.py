"""Images in an order of their own: the relevant ones of a search, or all there are."""

from __future__ import annotations

from typing import Any

import pytest

from models.bundle import Bundle
from serving.app import App
from tests.serving.conftest import ask, error_of, search
from tests.serving.test_answers import QUERY


def answer(app: App, **body: Any) -> dict[str, Any]:
    response = ask(app, "POST", "/search", json=body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def years(results: list[dict[str, Any]]) -> list[int]:
    return [result["metadata"]["year"] for result in results]


def test_nothing_need_be_sought(app: App, opened: Bundle) -> None:
    every = [item.image_path for item in opened.items]
    found = answer(app, sort="path", k=1000, offset=0)
    assert [result["image_path"] for result in found["results"]] == sorted(every)
    assert found["total_relevant"] == len(every)
    assert {result["similarity"] for result in found["results"]} == {None}
    assert {result["relevant"] for result in found["results"]} == {True}
    assert "total_relevant" not in answer(app, sort="path")
    backwards = search(app, sort="-path", k=4)
    assert [result["image_path"] for result in backwards] == sorted(every, reverse=True)[:4]


def test_a_filter_says_what_is_put_into_order(app: App) -> None:
    asked = {"sort": "-year", "filter": {"kind": "odd", "year": {"lt": 1990}}}
    found = answer(app, **asked, k=1000, offset=0)
    assert found["total_relevant"] == 60
    assert years(found["results"]) == [year for year in range(1989, 1950, -2) for _ in range(3)]
    pages = [search(app, **asked, k=7, offset=offset) for offset in range(0, 60, 7)]
    assert [result for page in pages for result in page] == found["results"]
    assert answer(app, **asked, offset=60)["results"] == []


def test_an_order_goes_on_to_the_end(app: App) -> None:
    assert search(app, sort="path", offset=100_000) == []
    told = error_of(ask(app, "POST", "/search", json={"sort": "path", "offset": 100_001}))
    assert told["field"] == "offset"
    told = error_of(ask(app, "POST", "/search", json={"query": "a", "offset": 1001}))
    assert told["message"] == "offset: where something is sought, it is at most 1000, got 1001"


def test_the_relevant_ones_are_put_into_order(app: App) -> None:
    whole = answer(app, query=QUERY, k=1000, offset=0)
    relevant = [result for result in whole["results"] if result["relevant"]]
    assert 1 < len(relevant) == whole["total_relevant"] < len(whole["results"])
    found = answer(app, query=QUERY, k=1000, offset=0, sort="-year")
    assert years(found["results"]) == sorted(years(relevant), reverse=True)
    by_id = {result["id"]: result for result in relevant}
    assert {result["id"]: result for result in found["results"]} == by_id
    assert found["total_relevant"] == len(relevant)
    by_relevance = answer(app, query=QUERY, k=1000, offset=0, sort="relevance")
    assert by_relevance == whole


def test_of_words_it_is_those_that_are_named(app: App) -> None:
    found = search(app, query="blobs number 12", mode="text", sort="path", k=1000)
    assert [result["image_path"] for result in found] == [f"12-{copy}.png" for copy in range(3)]
    assert found[0]["matched"]["caption"] == 1


def test_what_no_image_has_is_told(app: App) -> None:
    found = answer(app, sort="-price", k=3)
    assert found["warnings"] == ["no image has a field 'price' that could be sorted by"]
    assert [result["image_path"] for result in found["results"]] == [
        f"00-{copy}.png" for copy in range(3)
    ]
    sought = answer(app, query=QUERY, sort="price")
    assert sought["warnings"] == ["no image has a field 'price' that could be sorted by"]
    assert sought["results"]


def test_spread_images_are_no_neighbours(app: App) -> None:
    found = search(app, sort="spread", k=210)
    paths = [result["image_path"] for result in found]
    assert paths != sorted(paths)
    assert len(set(paths)) == 210
    assert [result["id"] for result in found] == sorted(result["id"] for result in found)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"sort": "relevance"}, "query"),
        ({"sort": ""}, "sort"),
        ({"sort": "x" * 130}, "sort"),
        ({"sort": "path", "negative": "a fox"}, "negative"),
        ({"sort": "path", "mode": "image"}, "mode"),
        ({"sort": "path", "min_similarity": 0.1}, "min_similarity"),
    ],
)
def test_what_makes_no_sense_is_told(app: App, body: dict[str, Any], field: str) -> None:
    response = ask(app, "POST", "/search", json=body)
    assert (response.status_code, error_of(response)["field"]) == (400, field)


def test_embeddings_come_along(app: App, opened: Bundle) -> None:
    [first] = search(app, sort="path", k=1, include_embeddings=True)
    assert first["embedding"] == pytest.approx(opened.index.reconstruct(0).tolist())


def test_pages_are_those_of_one_long_list(app: App) -> None:
    for more in ({}, {"mode": "auto"}, {"sort": "-year"}):
        asked = {"query": "blobs in the snow", **more}
        whole = search(app, **asked, k=1000, offset=0)
        pages = [search(app, **asked, k=50, offset=offset) for offset in range(0, 1000, 50)]
        assert [one for page in pages for one in page] == whole
        assert len({one["id"] for one in whole}) == len(whole)
