"""The evaluation beside chance and the words of paths, and its sheet."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build.__main__ import main
from build.candidates import Query, caption_queries
from build.evaluate import evaluate, sheet_rows
from tests.candidates import images


def test_perfect_model_finds_every_caption_first() -> None:
    found = images(np.eye(12).tolist(), [f"thing {row}" for row in range(12)])
    evaluation = evaluate(found, caption_queries(found), found.vectors)
    assert [evaluation.model.recall(k) for k in (1, 5, 10)] == [1, 1, 1]
    assert evaluation.model.mrr() == 1
    assert evaluation.model.median_rank() == 1


def test_any_image_of_a_repeated_caption_is_a_hit() -> None:
    found = images([[1, 0], [0, 1], [1, 1]], ["a fox", "a fox", "an owl"])
    queries = caption_queries(found)
    assert queries == [Query("a fox", frozenset({0, 1})), Query("an owl", frozenset({2}))]
    evaluation = evaluate(found, queries, np.array([[0, 1], [1, 0]], dtype=np.float32))
    assert [standing.rank() for standing in evaluation.model.standings] == [1, 2]


def test_chance_is_the_share_of_hits() -> None:
    found = images(np.eye(20).tolist(), ["a cat"] * 2 + [None] * 18)
    evaluation = evaluate(found, caption_queries(found), found.vectors[:1])
    assert evaluation.chance.recall(1) == pytest.approx(0.1)
    assert evaluation.chance.recall(10) == pytest.approx(1 - (10 * 9) / (20 * 19))


def test_keyword_baseline_reads_the_words_of_the_path() -> None:
    found = images(
        np.eye(4).tolist(),
        [None, "A red fox.", None, None],
        ["birds/owl.png", "animals/red_foxes-2.jpg", "animals/fox.png", "of.a.png"],
    )
    found.paths[1] = "animals/red_fox-2.jpg"
    evaluation = evaluate(found, caption_queries(found), found.vectors[:1])
    assert evaluation.keywords.recall(1) == 1
    # Here the model itself is wrong.
    assert evaluation.model.recall(1) == 0


def test_json_has_the_documented_keys() -> None:
    found = images(np.eye(3).tolist(), ["a", "b", "c"])
    figures = evaluate(found, caption_queries(found), found.vectors).as_json()
    scores = {"recall_at", "mrr", "median_rank"}
    assert set(figures) == scores | {"images", "queries", "chance", "keyword_baseline", "shown"}
    assert (figures["images"], figures["queries"]) == (3, 3)
    for part in (figures, figures["chance"], figures["keyword_baseline"]):
        assert scores <= set(part)
        assert set(part["recall_at"]) == {"1", "5", "10"}
    json.dumps(figures)


def test_what_is_folded_away_is_counted() -> None:
    # One image is near the query, two are as far as can be.
    found = images([[1, 0], [-1, 0], [-1, 0]], ["a", "b", "c"])
    query = Query("a", frozenset({0, 1}))
    shown = evaluate(found, [query], np.array([[0.8, 0.6]], dtype=np.float32)).shown
    assert shown.images == 1
    assert (shown.precision_of_all, shown.precision) == (pytest.approx(2 / 3), 1)
    assert shown.hits_kept == 0.5


def test_table_shows_percent() -> None:
    found = images(np.eye(2).tolist(), ["a", "b"])
    table = evaluate(found, caption_queries(found), found.vectors).table("demo")
    assert table.splitlines()[1].split()[:4] == ["demo", "100.0", "100.0", "100.0"]


def test_the_sheet_shows_what_was_found_with_scores(tmp_path: Path) -> None:
    for name in ("red.png", "blue.png"):
        Image.new("RGB", (40, 60), name.removesuffix(".png")).save(tmp_path / name)
    found = images([[1, 0], [0, 1]], ["red", None], ["red.png", "blue.png"], tmp_path)
    [row] = sheet_rows(evaluate(found, caption_queries(found), found.vectors[:1]), found)
    assert row.query == "red"
    assert [(cell.path, cell.hit, cell.alt_text, cell.why) for cell in row.cells] == [
        ("red.png", True, "red", "similarity 1.000"),
        ("blue.png", False, "blue.png", "similarity 0.000"),
    ]
    for cell in row.cells:
        assert cell.webp is not None
        with Image.open(io.BytesIO(cell.webp)) as image:
            assert image.format == "WEBP"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "either a BUNDLE or --images DIR"),
        (["some", "--images", "more"], "either a BUNDLE or --images DIR"),
        (["some", "--queries", "a.json"], "--queries goes with --images DIR only"),
        (["some", "--model", "m"], "--model goes with --images DIR only"),
        (["--images", "some", "--questions", "a"], "--questions goes with a BUNDLE only"),
        (["--images", "some", "--split", "test"], "--split goes with a BUNDLE only"),
        (["some", "--sheet", "s.png"], "name it FILE.html"),
    ],
)
def test_what_does_not_go_together_is_told(
    given: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *given]) == 1
    assert told in capsys.readouterr().err
