"""What `build evaluate` measures is what the service finds."""

from __future__ import annotations

import pytest

from build.evaluate_bundle import DEPTH, embed, evaluate_bundle, search, sheet_rows
from build.questions import Question, questions_of_captions
from models.bundle import Bundle
from models.fusion import Mode
from serving.app import App
from serving.wire.fields import MAX_PAGED
from tests.serving import conftest as service
from tests.serving.conftest import COPIES, DIFFERENT

QUERIES = [
    "number 7",
    '"blobs number" 12',
    '"7 number"',
    "“Number 3”",
    "numb*",
    "a red fox",
    "two dogs, asleep?",
    "dusk over Number 7",
    "photo of Number 66, Nowhere",
    "dusk, 07-1",
]


@pytest.mark.parametrize("mode", ["image", "text", "auto"])
@pytest.mark.parametrize("most_ranked", [1000, 2])
def test_it_is_what_the_service_finds(
    app: App, opened: Bundle, monkeypatch: pytest.MonkeyPatch, mode: Mode, most_ranked: int
) -> None:
    monkeypatch.setattr("models.words._MOST_RANKED", most_ranked)
    found = search(opened, QUERIES, embed(opened, QUERIES), mode)
    for query, best in zip(QUERIES, found, strict=True):
        expected = service.search(app, query=query, mode=mode, k=50)
        items = opened.items.get([one.position for one in best[:50]])
        assert [item.id for item in items] == [one["id"] for one in expected]
        assert [one.matched for one in best[:50]] == [one["matched"] for one in expected]


def test_it_looks_as_deep() -> None:
    assert DEPTH == MAX_PAGED


@pytest.mark.parametrize("mode", ["text", "auto"])
def test_what_a_name_is_said_of_is_ranked_by_looks(app: App, mode: str) -> None:
    query = "dusk over Blobs"
    by_looks = [one["id"] for one in service.search(app, query=query, k=210)]
    found = service.search(app, query=query, mode=mode, k=210)
    assert [one["id"] for one in found] == by_looks
    assert all(one["relevant"] and one["matched"]["caption"] for one in found)
    [named, *_] = service.search(app, query="dusk over Number 66", mode=mode, k=1)
    assert named["caption"] == "blobs number 66"


@pytest.mark.parametrize("dressed", ['"{}"', "‘{}’", "{}?", "“{}.”", " {} ..."])
def test_quotes_and_stops_change_nothing_of_what_looks_find(app: App, dressed: str) -> None:
    plain = service.search(app, query="a red fox", k=30)
    assert service.search(app, query=dressed.format("a red fox"), k=30) == plain


def test_the_evaluation_tells_each_way_and_kind(opened: Bundle) -> None:
    questions = [
        Question("number 7", "name", frozenset({21, 22, 23})),
        Question("nothing of that name", "other", frozenset({5})),
    ]
    evaluation = evaluate_bundle(opened, questions)
    ways = ["image", "text", "auto", "image, templates", "auto, templates"]
    assert list(evaluation.answers) == ways
    assert evaluation.answers["text"].ranks.tolist() == [1, float("inf")]
    assert evaluation.answers["auto"].ranks[0] == 1
    table = evaluation.table()
    for text in ("all, 2 questions", "name, 1 questions", "other, 1 questions", "R@5 of auto"):
        assert text in table
    assert sum(line.strip().startswith("auto") for line in table.splitlines()) == 6
    told = evaluation.as_json()
    assert (told["images"], told["questions"]) == (COPIES * DIFFERENT, 2)
    assert told["kinds"]["name"]["questions"] == 1
    assert told["kinds"]["name"]["ways"]["text"]["recall_at"]["1"]["value"] == 1
    assert told["kinds"]["all"]["ways"]["text"]["mrr"]["value"] == 0.5
    rows = sheet_rows(opened, evaluation)
    assert rows[0].note == "name, found at 1"
    first = rows[0].cells[0]
    assert first.hit
    assert first.why.startswith("score 0.0")
    assert "caption 1" in first.why
    assert first.webp is not None


def test_captions_are_sought_by_looks_alone(opened: Bundle) -> None:
    questions = questions_of_captions(opened.items)
    assert len(questions) == DIFFERENT
    evaluation = evaluate_bundle(opened, questions[:3], by_words=False)
    assert list(evaluation.answers) == ["image", "image, templates"]
    assert "auto" not in evaluation.table()
