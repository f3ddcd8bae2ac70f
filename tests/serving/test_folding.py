"""What looks alike is shown once, and what is shown may be varied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.bundle import Bundle
from models.collection import LocalCollection
from models.folding import SHARE_OF_EMBEDDING
from serving.app import App
from tests.serving.conftest import COPIES, DIFFERENT, Make, ask, error_of, search
from tests.serving.test_answers import QUERY

EQUAL = 0.999


def answer(app: App, **body: Any) -> dict[str, Any]:
    answered: dict[str, Any] = ask(app, "POST", "/search", json=body).json()
    return answered


def likeness(opened: Bundle, one: str, other: str) -> float:
    """As models/folding.py has it, computed otherwise."""
    at = [opened.items.position_of(each) for each in (one, other)]
    assert None not in at
    assert opened.looks is not None
    embeddings = [opened.index.reconstruct(position) for position in at]
    looks = opened.looks.get(np.array(at))
    return float(
        SHARE_OF_EMBEDDING * embeddings[0] @ embeddings[1]
        + (1 - SHARE_OF_EMBEDDING) * looks[0] @ looks[1]
    )


def test_copies_are_shown_once(app: App) -> None:
    plain = search(app, query=QUERY, k=DIFFERENT)
    folded = search(app, query=QUERY, k=20, fold=EQUAL)
    assert [one["duplicates"] for one in folded] == [COPIES - 1] * 20
    # The best of each is the one that would have come first without.
    firsts = [one for number, one in enumerate(plain) if number % COPIES == 0][:20]
    assert [one["id"] for one in folded] == [one["id"] for one in firsts]
    assert [one["duplicate_ids"] for one in folded] == [
        [one["id"] for one in plain[start + 1 : start + COPIES]] for start in range(0, 60, COPIES)
    ]
    bare = [{name: one[name] for name in plain[0]} for one in folded]
    assert bare == firsts


def test_nothing_is_folded_unless_that_is_asked_for(app: App) -> None:
    [first, *_] = search(app, query=QUERY)
    assert not {"duplicates", "duplicate_ids"} & first.keys()


@pytest.mark.parametrize("fold", [EQUAL, 0.9, 0.5])
@pytest.mark.parametrize("mode", [None, "auto"])
def test_pages_give_each_group_once_and_count_it_once(
    app: App, opened: Bundle, fold: float, mode: str | None
) -> None:
    asked = {"query": QUERY, "fold": fold, "mode": mode}
    whole = answer(app, **asked, k=100, offset=0)
    pages = [answer(app, **asked, k=7, offset=at) for at in range(0, DIFFERENT + 7, 7)]
    assert [one for page in pages for one in page["results"]] == whole["results"]
    relevant = sum(one["relevant"] for one in whole["results"])
    assert {page["total_relevant"] for page in pages} == {whole["total_relevant"]} == {relevant}
    heads = [one["id"] for one in whole["results"]]
    assert len(set(heads)) == len(heads) <= DIFFERENT
    assert sum(1 + one["duplicates"] for one in whole["results"]) == len(opened.items)
    for one in whole["results"]:
        assert len(one["duplicate_ids"]) == min(one["duplicates"], 10)
        for other in one["duplicate_ids"]:
            assert likeness(opened, one["id"], other) >= fold - 1e-5
    # Without an offset the same, but not counted.
    first = answer(app, **asked, k=7)
    assert first == {"results": whole["results"][:7]}
    for at, one in enumerate(heads):
        assert all(likeness(opened, one, better) < fold for better in heads[:at])


def test_a_filter_and_an_image_go_with_it(app: App, opened: Bundle) -> None:
    [item] = opened.items.get([100])
    found = search(app, like=item.id, k=60, fold=EQUAL, filter={"kind": "odd"})
    assert len(found) == DIFFERENT // 2
    assert {one["metadata"]["kind"] for one in found} == {"odd"}
    content = opened.thumbnails.get(100)
    sent = ask(
        app,
        "POST",
        "/search_by_image",
        files={"image": content},
        data={"fold": str(EQUAL), "diversity": "0.3", "k": "3"},
    ).json()["results"]
    assert [one["duplicates"] for one in sent] == [COPIES - 1] * 3


def test_groups_are_put_into_an_order_of_their_own(app: App) -> None:
    """By relevance each group has a head; these are sorted."""
    folded = answer(app, query=QUERY, k=200, offset=0, fold=EQUAL)
    relevant = [one for one in folded["results"] if one["relevant"]]
    by_path = answer(app, query=QUERY, k=200, offset=0, fold=EQUAL, sort="path")
    assert by_path["total_relevant"] == folded["total_relevant"] == len(relevant) > 1
    assert by_path["results"] == sorted(relevant, key=lambda one: str(one["image_path"]))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": QUERY, "sort": "path", "diversity": 0.5}, "diversity"),
        ({"sort": "path", "diversity": 0.5}, "diversity"),
        ({"sort": "path", "fold": 0.9}, "fold"),
    ],
)
def test_what_makes_no_sense_is_refused(app: App, body: dict[str, Any], field: str) -> None:
    response = ask(app, "POST", "/search", json=body)
    assert (response.status_code, error_of(response)["field"]) == (400, field)


def test_with_no_diversity_the_order_stays(app: App) -> None:
    plain = search(app, query=QUERY, k=50)
    assert search(app, query=QUERY, k=50, diversity=0) == plain


def test_what_is_relevant_is_varied(app: App) -> None:
    """Copies stand side by side without, and far from each other with."""
    plain = answer(app, query=QUERY, k=100, offset=0)
    varied = answer(app, query=QUERY, k=100, offset=0, diversity=0.5)
    total = plain["total_relevant"]
    assert varied["total_relevant"] == total > COPIES
    ids = [one["id"] for one in varied["results"]]
    assert ids[0] == plain["results"][0]["id"]
    assert ids[1] not in [one["id"] for one in plain["results"][:COPIES]]
    before = {one["id"]: one for one in plain["results"] if one["relevant"]}
    if total <= 100:
        assert {one["id"]: one for one in varied["results"] if one["relevant"]} == before
        assert varied["results"][total:] == plain["results"][total:]
    pages = [
        answer(app, query=QUERY, k=9, offset=at, diversity=0.5)["results"]
        for at in range(0, 3 * DIFFERENT, 9)
    ]
    paged = [one["id"] for page in pages for one in page]
    assert paged[:100] == ids
    assert len(set(paged)) == len(paged) == 3 * DIFFERENT


def test_bundles_without_looks_are_folded_by_their_embeddings(make: Make, opened: Bundle) -> None:
    bare = make(replace(opened, collection=LocalCollection(opened.index, opened.items)))
    found = search(bare, query=QUERY, k=DIFFERENT, fold=1)
    assert [one["duplicates"] for one in found] == [COPIES - 1] * DIFFERENT


@pytest.mark.parametrize("field", ["fold", "diversity"])
@pytest.mark.parametrize("value", [-0.1, 1.1, "much"])
def test_neither_is_more_than_one(app: App, field: str, value: object) -> None:
    response = ask(app, "POST", "/search", json={"query": QUERY, field: value})
    assert (response.status_code, error_of(response)["field"]) == (400, field)
