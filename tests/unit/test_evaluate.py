"""The evaluation's arithmetic, its reading of captions and questions, and its sheet."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from build.__main__ import main
from build.errors import BuildError
from build.evaluate import (
    Images,
    Query,
    Ranking,
    Standing,
    caption_queries,
    evaluate,
    read_queries,
    sheet_rows,
)


def images(
    vectors: list[list[float]],
    captions: list[str | None],
    paths: list[str] | None = None,
    root: Path = Path("images"),
) -> Images:
    rows = np.array(vectors, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    paths = paths or [f"{row}.png" for row in range(len(rows))]
    return Images(root, paths, rows, captions, [])


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


def test_figures_of_a_known_ranking() -> None:
    ranking = Ranking([Standing(rank - 1, 1, 1) for rank in (1, 2, 6, 11)])
    assert [ranking.recall(k) for k in (1, 5, 10)] == [0.25, 0.5, 0.75]
    assert ranking.mrr() == pytest.approx((1 + 1 / 2 + 1 / 6 + 1 / 11) / 4)
    assert ranking.median_rank() == 4


@given(st.integers(0, 4), st.integers(1, 7), st.integers(1, 7), st.integers(1, 12))
def test_ties_count_as_drawn_by_lot(better: int, tied: int, hits: int, k: int) -> None:
    hits = min(hits, tied)
    standing = Standing(better, tied, hits)
    # Every way to lay out the tied candidates, hits being the first ``hits`` of them.
    firsts = [better + 1 + min(places) for places in itertools.combinations(range(tied), hits)]
    assert standing.recall(k) == pytest.approx(np.mean([first <= k for first in firsts]))
    assert standing.reciprocal_rank() == pytest.approx(np.mean([1 / first for first in firsts]))
    assert standing.rank() == pytest.approx(np.mean(firsts))


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


def test_images_without_captions_are_refused() -> None:
    with pytest.raises(BuildError, match=r"none of the 2 images.*--queries"):
        caption_queries(images([[1, 0], [0, 1]], [None, None]))


def test_questions_name_their_hits_by_path_or_pattern(tmp_path: Path) -> None:
    found = images(np.eye(3).tolist(), [None] * 3, ["a/owl.png", "a/[1].png", "b/fox.png"])
    file = tmp_path / "questions.json"
    file.write_text(
        json.dumps(
            [
                {"query": "in a", "hits": ["a/*"]},
                {"query": "odd name", "hits": ["a/[1].png"]},
            ]
        )
    )
    queries = read_queries(file, found)
    assert [query.hits for query in queries] == [{0, 1}, {1}]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('[{"query": "x", "hits": ["c/*"]}]', "no image 'c/"),
        ('[{"query": "x", "hits": []}]', "has no hits"),
        ("[]", "holds no queries"),
        ('[{"question": "x"}]', "is no list of"),
        ("{", "is no list of"),
    ],
)
def test_bad_question_files_are_named(tmp_path: Path, written: str, message: str) -> None:
    file = tmp_path / "questions.json"
    file.write_text(written)
    with pytest.raises(BuildError, match=message) as refused:
        read_queries(file, images([[1, 0]], [None]))
    assert "questions.json" in str(refused.value)


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
