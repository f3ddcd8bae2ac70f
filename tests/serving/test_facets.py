"""How many images have which values: beside what is found, and before anything is sought."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest

from models.bundle import Bundle
from models.database import SlowQueryError
from models.items import ItemStore
from serving.app import App
from serving.facets import MAX_FACETS, FacetsResponse
from serving.wire.responses import SearchResponse
from tests.build.images import image_bytes
from tests.serving.conftest import COPIES, DIFFERENT, ask, error_of, search
from tests.serving.test_answers import QUERY

IMAGES = DIFFERENT * COPIES
EVEN_AND_ODD = {"values": [{"value": each, "count": 105} for each in ("even", "odd")]}


def answer(app: App, **body: Any) -> dict[str, Any]:
    response = ask(app, "POST", "/search", json=body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    SearchResponse.model_validate_json(response.content)
    return found


def facets(app: App, **parameters: Any) -> dict[str, Any]:
    response = ask(app, "GET", "/facets", params=parameters)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def kinds_of(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts = Counter(one["metadata"]["kind"] for one in results)
    best = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return [{"value": value, "count": count} for value, count in best]


@pytest.mark.parametrize("asked", [{}, {"mode": "auto"}, {"filter": {"year": {"lt": 1980}}}])
def test_values_of_the_relevant_images_are_counted(app: App, asked: dict[str, Any]) -> None:
    body = {"query": "number 7", "k": 3, **asked}
    found = answer(app, **body, facets=["kind", "year"])
    every = [
        one
        for offset in range(0, IMAGES, 100)
        for one in search(app, **{**body, "k": 100, "offset": offset})
    ]
    every = [one for one in every if one["relevant"]]
    total = answer(app, **body, offset=0)["total_relevant"]
    assert 0 < len(every) == total < IMAGES
    assert list(found["facets"]) == ["kind", "year"]
    kinds = kinds_of(every)
    assert found["facets"]["kind"] == {"values": kinds, "total": len(kinds), "missing": 0}
    years = [one["metadata"]["year"] for one in every]
    year = found["facets"]["year"]
    assert (year["min"], year["max"]) == (min(years), max(years))
    assert sum(bucket["count"] for bucket in year["histogram"]) == total
    # What is found is not another because of it.
    paged = answer(app, **body, offset=0)
    assert found["results"] == paged["results"]
    assert "total_relevant" not in found


def test_nothing_is_counted_unless_it_is_asked_for(app: App) -> None:
    assert set(answer(app, query=QUERY)) == {"results"}
    assert answer(app, query=QUERY, facets=[])["facets"] == {}


def test_values_of_all_that_match_are_counted(app: App) -> None:
    asked = {"query": QUERY, "facets": ["kind"], "facets_of": "matching"}
    assert answer(app, **asked)["facets"]["kind"] == EVEN_AND_ODD | {"total": 2, "missing": 0}
    some = answer(app, **asked, filter={"year": {"lt": 1953}})
    assert some["facets"]["kind"]["values"] == [
        {"value": "even", "count": 6},
        {"value": "odd", "count": 3},
    ]
    none = answer(app, **asked, filter={"year": 3})
    assert none["facets"]["kind"] == {"values": [], "total": 0, "missing": 0}


def test_a_form_asks_for_facets_too(app: App, opened: Bundle) -> None:
    fields = {"facets": '["kind"]', "facets_of": "matching"}
    response = ask(
        app, "POST", "/search_by_image", files={"image": image_bytes(5)}, data={**fields, "k": "1"}
    )
    assert response.json()["facets"]["kind"] == EVEN_AND_ODD | {"total": 2, "missing": 0}
    relevant = ask(
        app,
        "POST",
        "/search_by_image",
        files={"image": image_bytes(5)},
        data={"facets": '["kind"]'},
    )
    assert relevant.json()["facets"]["kind"]["values"][0]["value"] == "odd"


def test_where_nothing_is_sought_all_that_match_are_counted(app: App) -> None:
    asked = {"sort": "path", "k": 1, "facets": ["kind"]}
    assert answer(app, **asked)["facets"]["kind"] == EVEN_AND_ODD | {"total": 2, "missing": 0}
    some = answer(app, **asked, filter={"year": {"lt": 1953}}, offset=0)
    assert some["facets"]["kind"]["values"][0] == {"value": "even", "count": 6}
    assert some["total_relevant"] == 9
    told = answer(app, sort="smell", k=1, facets=["colour"])["warnings"]
    assert told == [
        "no image has a field 'smell' that could be sorted by",
        "no image has a field 'colour'",
    ]


@pytest.mark.parametrize("asked", [{"sort": "-year"}, {"k": 200}, {"offset": 20}])
def test_the_relevant_are_counted_in_any_order_and_on_any_page(
    app: App, asked: dict[str, Any]
) -> None:
    body = {"query": QUERY, "facets": ["kind", "year"]}
    assert answer(app, **body, **asked)["facets"] == answer(app, **body)["facets"]


def test_fields_that_no_image_has_are_told(app: App) -> None:
    found = answer(app, query=QUERY, facets=["colour"], filter={"smell": 1})
    assert found["facets"] == {"colour": {"values": [], "total": 0, "missing": 0}}
    assert found["warnings"] == [
        "no image has a field 'smell'",
        "no image has a field 'colour'",
    ]


@pytest.mark.parametrize(
    ("asked", "field", "rule"),
    [
        ({"facets": "kind"}, "facets", "valid array"),
        ({"facets": [3]}, "facets.0", "valid string"),
        ({"facets": ["x" * 129]}, "facets.0", "at most 128 characters"),
        ({"facets": ["x"] * (MAX_FACETS + 1)}, "facets", "at most 16 items"),
        ({"facets_of": "all"}, "facets_of", "'relevant' or 'matching'"),
    ],
)
def test_what_makes_no_sense_is_told(
    app: App, asked: dict[str, Any], field: str, rule: str
) -> None:
    response = ask(app, "POST", "/search", json={"query": QUERY, **asked})
    error = error_of(response)
    assert (response.status_code, error["field"]) == (400, field)
    assert rule in error["message"]


def test_the_whole_bundle_offers_its_filters(app: App, opened: Bundle) -> None:
    response = ask(app, "GET", "/facets")
    FacetsResponse.model_validate_json(response.content)
    assert response.headers["x-sightline-bundle"] == opened.manifest.version
    found = response.json()
    assert found["images"] == IMAGES
    assert set(found) == {"facets", "images"}
    assert found["facets"]["kind"] == EVEN_AND_ODD | {"total": 2, "missing": 0}
    year = found["facets"]["year"]
    assert (year["min"], year["max"], year["total"]) == (1950, 2019, 70)
    assert year["histogram"][0] == {"gte": 1950, "lt": 1955, "count": 15}
    assert len(year["histogram"]) == 14
    named = facets(app, fields=["year", "kind"])["facets"]
    assert list(named) == ["year", "kind"]
    assert named == {name: found["facets"][name] for name in named}
    assert facets(app, fields="kind")["facets"] == {"kind": found["facets"]["kind"]}


def test_the_images_that_match_a_filter_are_counted(app: App) -> None:
    asked = json.dumps({"year": {"lt": 1953}})
    found = facets(app, filter=asked)
    assert found["images"] == 9
    assert found["facets"]["kind"]["values"][0] == {"value": "even", "count": 6}
    assert set(found["facets"]) == set(facets(app)["facets"])
    told = facets(app, filter=json.dumps({"smell": 1}), fields="colour")
    assert told == {
        "facets": {"colour": {"values": [], "total": 0, "missing": 0}},
        "images": 0,
        "warnings": ["no image has a field 'smell'", "no image has a field 'colour'"],
    }


@pytest.mark.parametrize(
    ("asked", "field", "rule"),
    [
        ({"filter": "{"}, "filter", "valid dictionary"),
        ({"filter": "[]"}, "filter", "valid dictionary"),
        ({"filter": '{"year": {"near": 1}}'}, "filter", "one of gt"),
        ({"fields": ["x"] * (MAX_FACETS + 1)}, "fields", "at most 16 items"),
        ({"field": "kind"}, "field", "no such field"),
    ],
)
def test_so_it_is_in_an_address(app: App, asked: Any, field: str, rule: str) -> None:
    response = ask(app, "GET", "/facets", params=asked)
    error = error_of(response)
    assert (response.status_code, error["field"]) == (400, field)
    assert rule in error["message"]


def test_what_takes_too_long_is_refused(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(*args: Any, **kwargs: Any) -> Any:
        raise SlowQueryError("it takes too long")

    monkeypatch.setattr(ItemStore, "facets", slowly)
    for response in (
        ask(app, "POST", "/search", json={"query": QUERY, "facets": ["kind"]}),
        ask(app, "GET", "/facets"),
    ):
        error = error_of(response)
        assert (response.status_code, error["field"]) == (503, "facets")
        assert error["message"] == "facets: they take too long: ask for fewer"
        assert response.headers["retry-after"] == "1"
    monkeypatch.setattr(ItemStore, "matching", slowly)
    response = ask(app, "GET", "/facets", params={"filter": "{}"})
    assert (response.status_code, error_of(response)["field"]) == (503, "filter")


def test_counting_is_done_in_threads_of_its_own_and_timed(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    counted = ItemStore.facets

    def noting(self: ItemStore, *args: Any, **kwargs: Any) -> Any:
        threads.append(threading.current_thread().name)
        return counted(self, *args, **kwargs)

    monkeypatch.setattr(ItemStore, "facets", noting)
    ask(app, "GET", "/facets")
    ask(app, "GET", "/facets", params={"filter": "{}"})
    assert answer(app, query=QUERY, facets=["kind"])["facets"]
    assert [name.rpartition("_")[0] for name in threads] == ["look-up"] * 3


def test_positions_come_as_the_index_gives_them(opened: Bundle) -> None:
    """Best first and not ascending."""
    shuffled = np.array([5, 200, 3])
    found = opened.items.facets(["kind"], shuffled).by_field["kind"]
    assert found == opened.items.facets(["kind"], np.sort(shuffled)).by_field["kind"]
