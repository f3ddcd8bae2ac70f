"""Several texts and images that are sought together."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from models.bundle import Bundle
from serving.app import App
from serving.routes import MAX_JSON
from serving.wire.requests import SearchRequest
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask, error_of, search, with_client
from tests.serving.test_answers import OTHER, QUERY, assert_found, text
from tests.serving.test_uploads import drawn

BASE64 = base64.b64encode(image_bytes(5)).decode()


def refused(app: App, **body: Any) -> tuple[int, str | None, str]:
    response = ask(app, "POST", "/search", json=body)
    error = error_of(response)
    return response.status_code, error["field"], error["message"]


def send(app: App, content: bytes, **fields: str) -> httpx.Response:
    return ask(app, "POST", "/search_by_image", files={"image": content}, data=fields)


def test_what_is_sought_is_the_weighted_sum(app: App, opened: Bundle) -> None:
    [one, other] = opened.items.get([100, 7])
    parts: list[dict[str, Any]] = [
        {"text": QUERY, "weight": 2},
        {"like": one.id, "weight": 0.25},
        {"text": OTHER, "weight": -0.75},
        {"like": other.id, "weight": -1.5},
    ]
    sought = (
        2 * text(opened, QUERY)
        + 0.25 * opened.index.reconstruct(100)
        - 0.75 * text(opened, OTHER)
        - 1.5 * opened.index.reconstruct(7)
    )
    assert_found(search(app, queries=parts, k=30), opened, sought, 30)
    found = search(app, queries=parts, k=30, offset=30, filter={"kind": "odd"})
    assert {result["metadata"]["kind"] for result in found} == {"odd"}


def test_the_simple_form_and_the_parts_say_the_same(app: App, opened: Bundle) -> None:
    """To the last bit: both are one sum."""
    [item] = opened.items.get([100])
    for simple, parts in [
        ({"query": QUERY}, [{"text": QUERY}]),
        ({"like": item.id}, [{"like": item.id, "weight": 1}]),
        (
            {"query": QUERY, "like": item.id, "negative": OTHER},
            [{"text": OTHER, "weight": -0.5}, {"text": QUERY}, {"like": item.id}],
        ),
        (
            {"query": f"{QUERY} - .5:{OTHER}", "syntax": "algebra"},
            [
                {"text": QUERY},
                {"text": OTHER, "weight": -0.5},
            ],
        ),
    ]:
        assert search(app, **simple, k=50) == search(app, queries=parts, k=50)
    both = search(app, query=QUERY, queries=[{"text": OTHER, "weight": -0.5}], k=50)
    assert both == search(app, query=QUERY, negative=OTHER, k=50)


def test_what_is_taken_off_comes_last(app: App, opened: Bundle) -> None:
    """As it always has, since the last bits of a sum depend on the order."""
    [item] = opened.items.get([100])
    request = SearchRequest(query=QUERY, like=item.id, negative=OTHER)
    with app.state.engine() as engine:
        plan = asyncio.run(engine.planner.search(request))
    wanted, like, unwanted = plan.sought
    assert (wanted.weight, like.weight, unwanted.weight) == (1, 1, -0.5)
    assert isinstance(wanted.what, list)
    assert isinstance(unwanted.what, list)


def test_signs_are_words_unless_an_algebra_is_asked_for(app: App, opened: Bundle) -> None:
    line = "fox + snow - 2:house"
    plain = search(app, query=line, k=30)
    assert_found(plain, opened, text(opened, line), 30)
    assert plain == search(app, query=line, syntax="plain", k=30)
    sought = text(opened, "fox") + text(opened, "snow") - 2 * text(opened, "house")
    assert_found(search(app, query=line, syntax="algebra", k=30), opened, sought, 30)


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
def test_an_image_in_json_is_as_good_as_one_that_is_uploaded(
    app: App, opened: Bundle, head: str
) -> None:
    uploaded = send(app, image_bytes(5), k="9").json()["results"]
    assert search(app, queries=[{"image": head + BASE64}], k=9) == uploaded
    mixed = search(app, queries=[{"image": head + BASE64, "weight": 0.5}, {"text": QUERY}], k=9)
    assert mixed != uploaded
    position = next(item.position for item in opened.items if item.image_path == "05-0.png")
    sought = 0.5 * opened.index.reconstruct(position) + text(opened, QUERY)
    assert_found(mixed, opened, sought, 9)
    assert mixed == send(app, image_bytes(5), k="9", weight="0.5", query=QUERY).json()["results"]


def test_a_form_takes_what_json_does(app: App, opened: Bundle) -> None:
    [item] = opened.items.get([100])
    asked: dict[str, Any] = {
        "query": QUERY,
        "negative": OTHER,
        "like": item.id,
        "queries": [{"text": "snow", "weight": -2}, {"image": BASE64}],
        "filter": {"kind": "odd", "year": {"gte": 1960}},
        "k": 20,
        "offset": 3,
        "min_similarity": -0.5,
        "include_embeddings": True,
    }
    fields = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in asked.items()
    }
    answer = send(app, image_bytes(9), weight="3", **fields).json()
    inline = {"image": base64.b64encode(image_bytes(9)).decode(), "weight": 3}
    asked["queries"] = [inline, *asked["queries"]]
    expected = ask(app, "POST", "/search", json=asked).json()
    assert answer["total_relevant"] == expected["total_relevant"]
    assert [one["id"] for one in answer["results"]] == [one["id"] for one in expected["results"]]
    assert len(answer["results"]) == 20
    assert "embedding" in answer["results"][0]


def test_what_adds_up_to_nothing_finds_something_all_the_same(app: App) -> None:
    nothing = search(app, queries=[{"text": QUERY}, {"text": QUERY, "weight": -1}])
    assert [result["similarity"] for result in nothing] == [0.0] * 5


@pytest.mark.parametrize(
    ("body", "status", "field", "rule"),
    [
        ({"queries": []}, 400, "queries", "at least 1 item"),
        ({"queries": [{"text": "a"}] * 17}, 400, "queries", "at most 16 items"),
        ({"queries": [{}]}, 400, "queries.0", "one of text, like and image is needed"),
        ({"queries": [{"weight": 1}]}, 400, "queries.0", "one of text, like and image is needed"),
        ({"queries": [{"text": "a", "like": "b"}]}, 400, "queries.0", "and only one"),
        ({"queries": [{"text": " "}]}, 400, "queries.0.text", "at least 1 character"),
        ({"queries": [{"text": "a", "weight": 101}]}, 400, "queries.0.weight", "equal to 100"),
        ({"queries": [{"text": "a", "weight": -101}]}, 400, "queries.0.weight", "equal to -100"),
        ({"queries": [{"text": "a", "weight": "1"}]}, 400, "queries.0.weight", "valid number"),
        ({"queries": [{"text": "a", "size": 1}]}, 400, "queries.0.size", "no such field"),
        ({"queries": [{"text": "a"}, {"like": "b"}]}, 404, "queries.1.like", "has the id 'b'"),
        ({"queries": [{"text": "a"}, {"image": "b"}]}, 400, "queries.1.image", "is no base64"),
        ({"queries": [{"image": "YWJj"}]}, 400, "queries.0.image", "not an image"),
        ({"query": "a -", "syntax": "algebra"}, 400, "query", "no words follow '-'"),
        ({"query": "a", "syntax": "lucene"}, 400, "syntax", "'plain' or 'algebra'"),
        ({"syntax": "algebra"}, 400, "query", "a text of 1 to 1000 characters is needed"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_makes_no_sense_is_told(
    app: App, body: dict[str, Any], status: int, field: str, rule: str
) -> None:
    found = refused(app, **body)
    assert found[:2] == (status, field)
    assert found[2].startswith(f"{field}: ")
    assert rule in found[2]


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"weight": "much"}, "weight", "valid number, got 'much'"),
        ({"weight": "NaN"}, "weight", "valid number, got 'NaN'"),
        ({"filter": "{"}, "filter", "valid dictionary, got '{'"),
        ({"filter": '{"year": {"near": 1}}'}, "filter", "one of gt"),
        ({"queries": "[" * 5000}, "queries", "valid list, got 5000 characters"),
        ({"query": ""}, "query", "at least 1 character"),
        ({"offset": "1001"}, "offset", "at most 1000, got 1001"),
    ],
)
def test_so_it_is_of_a_form(app: App, fields: dict[str, str], field: str, rule: str) -> None:
    response = send(app, image_bytes(5), **fields)
    error = error_of(response)
    assert (response.status_code, error["field"]) == (400, field)
    assert rule in error["message"]


def test_images_in_json_keep_to_the_limits_of_those_that_are_uploaded(make: Make) -> None:
    large = base64.b64encode(drawn("PNG", (800, 800))).decode()
    status, field, message = refused(make(max_pixels=200_000), queries=[{"image": large}])
    assert (status, field) == (413, "queries.0.image")
    app = make(max_upload_mb=0.5)
    status, field, message = refused(app, queries=[{"text": "a"}, {"image": large}])
    assert (status, field) == (413, "queries.1.image")
    assert message == "queries.1.image: the image is longer than 512 KB"
    status, _, message = refused(app, queries=[{"image": "a" * MAX_JSON}])
    assert (status, message) == (413, "the body is longer than 4 MB")


def test_a_service_without_image_encoder_says_so(make: Make, opened: Bundle) -> None:
    app = make(replace(opened, image_encoder=None))
    assert refused(app, queries=[{"image": BASE64}])[0] == 501
    assert search(app, queries=[{"text": QUERY}])


def test_one_request_with_many_images_is_no_crowd(make: Make) -> None:
    """They wait one after the other, or a short queue would never take them."""
    app = make(max_image_queue=1)
    parts = [{"image": base64.b64encode(image_bytes(n)).decode()} for n in range(16)]
    assert len(search(app, queries=parts)) == 5

    async def crowd(client: httpx.AsyncClient) -> list[int]:
        sent = [client.post("/search", json={"queries": parts}) for _ in range(3)]
        return [answer.status_code for answer in await asyncio.gather(*sent)]

    assert sorted(with_client(app, crowd)) == [200, 429, 429]


def test_what_is_asked_in_parts_is_logged_as_words(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    app = make(log_requests=True, log_queries=True)
    with caplog.at_level("INFO", "sightline"):
        search(app, query="a fox", queries=[{"image": BASE64}, {"text": "snow"}])
        assert send(app, image_bytes(5), query="a house").status_code == 200
    assert [record.__dict__["query"] for record in caplog.records] == ["a fox; snow", "a house"]


def test_a_part_that_counts_nothing_changes_nothing(app: App) -> None:
    parts = [{"text": QUERY}, {"text": OTHER, "weight": 0}]
    found = search(app, queries=parts, k=50)
    plain = search(app, query=QUERY, k=50)
    assert [one["id"] for one in found] == [one["id"] for one in plain]
    np.testing.assert_allclose(
        [one["similarity"] for one in found], [one["similarity"] for one in plain], atol=1e-6
    )
