"""Images by their looks, by what is said of them, and by both."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from models.bundle import Bundle
from models.database import SlowQueryError
from models.items import ItemStore
from serving.app import App
from tests.build.images import image_bytes
from tests.serving.conftest import COPIES, DIFFERENT, ask, error_of, search, with_client
from tests.serving.test_answers import QUERY, vectors_of

# Captions are "blobs number 7", and those of odd numbers are of the kind "odd".
NAMED = "number 7"


def without(results: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: one for name, one in each.items() if name not in names} for each in results]


def test_by_looks_is_as_without_a_mode_and_says_so(app: App) -> None:
    plain = search(app, query=QUERY, k=30)
    assert {"score", "matched"} & set(plain[0]) == set()
    asked = search(app, query=QUERY, k=30, mode="image")
    assert without(asked, "score", "matched") == plain
    assert [one["score"] for one in asked] == [one["similarity"] for one in plain]
    assert [one["matched"] for one in asked] == [{"image": rank} for rank in range(1, 31)]
    assert search(app, query=QUERY, k=20, mode="image", offset=10) == asked[10:]


def test_what_is_named_comes_first_and_what_looks_like_it_behind(app: App, opened: Bundle) -> None:
    by_looks = search(app, query=NAMED, k=100)
    rank = {one["id"]: number for number, one in enumerate(by_looks, start=1)}
    both = search(app, query=NAMED, k=50, mode="auto")
    assert [one["image_path"] for one in both[:COPIES]] == [f"07-{n}.png" for n in range(COPIES)]
    for number, one in enumerate(both):
        expected = {"caption": number + 1} if number < COPIES else {}
        if one["id"] in rank:
            expected["image"] = rank[one["id"]]
        assert {name: one["matched"][name] for name in expected} == expected
        assert set(one["matched"]) - {"image"} == set(expected) - {"image"}
    scores = [one["score"] for one in both]
    assert scores == sorted(scores, reverse=True)
    assert all(one["relevant"] for one in both[:COPIES])
    others = [one["id"] for one in both[COPIES:]]
    assert (
        others
        == [one["id"] for one in by_looks if one["id"] not in {one["id"] for one in both[:COPIES]}][
            : len(others)
        ]
    )


def test_quotes_around_what_nobody_says_are_a_habit(app: App) -> None:
    """In quotes what is said has to be said so; what is said of nothing is sought by its looks."""
    plain = search(app, query=QUERY, k=30, mode="auto")
    assert search(app, query=f'"{QUERY}"', k=30, mode="auto") == plain
    assert search(app, query=f"“{QUERY}”.", k=30, mode="auto") == plain
    said = search(app, query='"number 7"', k=30, mode="auto")
    assert {one["caption"] for one in said} == {"blobs number 7"}
    # In part, it is meant; and who asks for words alone means words.
    assert search(app, query=f'an image of "{QUERY}"', k=30, mode="auto") == []
    assert search(app, query=f'"{QUERY}"', k=30, mode="text") == []


def test_the_similarity_stays_the_cosine(app: App, opened: Bundle) -> None:
    [vector] = ask(app, "POST", "/encode", json={"texts": [NAMED]}).json()["embeddings"]
    cosines = vectors_of(opened) @ vector
    for mode in ("auto", "text"):
        for one in search(app, query=NAMED, mode=mode, k=20):
            position = opened.items.position_of(one["id"])
            assert one["similarity"] == pytest.approx(cosines[position], abs=2e-6)


def test_by_words_alone_only_what_is_named_is_found(app: App) -> None:
    found = search(app, query=NAMED, mode="text", k=100)
    assert [one["image_path"] for one in found] == [f"07-{n}.png" for n in range(COPIES)]
    assert [one["matched"] for one in found] == [{"caption": n + 1} for n in range(COPIES)]
    assert search(app, query="nothing of that name", mode="text") == []
    assert search(app, query=NAMED, mode="text", filter={"kind": "even"}) == []
    many = search(app, query="number 6*", mode="text", k=100)
    assert len(many) == 11 * COPIES
    middle = sorted(one["similarity"] for one in many)[16] - 1e-6
    some = search(app, query="number 6*", mode="text", k=100, min_similarity=middle)
    assert some == [one for one in many if one["similarity"] >= middle]
    assert 0 < len(some) < len(many)


def test_quoted_words_must_be_there_in_either_mode(app: App) -> None:
    for mode in ("auto", "text"):
        found = search(app, query='"blobs number 7" 7', mode=mode, k=100)
        assert {one["caption"] for one in found} == {"blobs number 7"}
        assert search(app, query='"7 number" 7', mode=mode) == []
    found = search(app, query='"blobs number" 7', mode="auto", k=100, filter={"kind": "odd"})
    assert {one["metadata"]["kind"] for one in found} == {"odd"}
    assert len(found) == 100
    # Looks know no quotes.
    assert len(search(app, query='"7 number"', mode="image", k=7)) == 7


def test_what_too_many_have_in_common_is_ordered_by_looks(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.words._MOST_RANKED", 2)
    by_looks = search(app, query=NAMED, k=100)
    named = [one for one in by_looks if one["caption"] == "blobs number 7"]
    found = search(app, query=NAMED, mode="text", k=100)
    assert sorted(one["image_path"] for one in found) == [f"07-{n}.png" for n in range(COPIES)]
    assert [one["matched"] for one in found] == [{"image": 1}, {"image": 2}, {"image": 3}]
    assert len(named) <= COPIES
    both = search(app, query=NAMED, mode="auto", k=100)
    assert [one["id"] for one in both] == [one["id"] for one in by_looks]


def test_pages_are_one_list_cut_into_pieces(app: App) -> None:
    body = {"query": f"{NAMED}*", "k": 7, "mode": "auto"}
    pages = [
        ask(app, "POST", "/search", json={**body, "offset": offset}).json()
        for offset in range(0, 3 * DIFFERENT + 7, 7)
    ]
    paged = [one for page in pages for one in page["results"]]
    assert paged[:100] == search(app, **{**body, "k": 100})
    assert len({one["id"] for one in paged}) == len(paged) == 3 * DIFFERENT
    assert {page["total_relevant"] for page in pages} == {sum(one["relevant"] for one in paged)}


def test_words_that_are_avoided_name_nothing(app: App) -> None:
    line = {"query": "a fox - number 7", "syntax": "algebra"}
    assert search(app, **line, mode="text") == []
    parts = [{"text": "number"}, {"text": "blobs 7"}, {"text": "fox", "weight": -1}]
    found = search(app, queries=parts, mode="text")
    assert {one["caption"] for one in found} == {"blobs number 7"}


def test_words_beside_an_image_that_is_sent(app: App) -> None:
    form = {"query": NAMED, "mode": "text"}
    answer = ask(app, "POST", "/search_by_image", files={"image": image_bytes(3)}, data=form)
    assert {one["caption"] for one in answer.json()["results"]} == {"blobs number 7"}


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"query": "a", "mode": "words"}, "mode", "'auto', 'text' or 'image'"),
        ({"queries": [{"text": "a", "weight": -1}], "mode": "text"}, "mode", "needs a text"),
    ],
)
def test_what_makes_no_sense_is_told(app: App, body: dict[str, Any], field: str, rule: str) -> None:
    response = ask(app, "POST", "/search", json=body)
    error = error_of(response)
    assert (response.status_code, error["field"]) == (400, field)
    assert rule in error["message"]


def test_without_a_text_there_is_nothing_but_looks(app: App, opened: Bundle) -> None:
    [item] = opened.items.get([30])
    found = search(app, like=item.id, mode="auto", k=9)
    assert without(found, "score", "matched") == search(app, like=item.id, k=9)


def test_words_that_take_too_long_are_given_up(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise SlowQueryError

    monkeypatch.setattr(ItemStore, "named", slow)
    response = ask(app, "POST", "/search", json={"query": "a", "mode": "auto"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert error_of(response)["field"] == "query"
    assert search(app, query="a", mode="image")


def test_a_neighbour_changes_nothing(app: App) -> None:
    bodies: list[dict[str, Any]] = [
        {"query": f"number {n}", "k": 9, **({"mode": mode} if mode else {})}
        for n in range(12)
        for mode in ("auto", "text", "image", None)
    ]

    async def crowd(client: httpx.AsyncClient) -> list[Any]:
        sent = (client.post("/search", json=body) for body in bodies)
        return [answer.json()["results"] for answer in await asyncio.gather(*sent)]

    together = with_client(app, crowd)
    assert together == [search(app, **body) for body in bodies]
