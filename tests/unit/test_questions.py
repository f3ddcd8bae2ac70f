"""Questions and the images that answer them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from build.errors import BuildError
from build.questions import Question, half_of, questions_of_captions, read_questions
from models.items import Item

ROOT = Path(__file__).resolve().parents[2]
PATHS = ["a/owl.png", "a/[1].png", "b/fox.png"]
LINE = {"question": "in a", "kind": "place", "hits": ["a/*"]}


def written(folder: Path, *lines: object) -> Path:
    file = folder / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    return file


def test_a_hit_is_a_path_or_a_pattern_of_paths(tmp_path: Path) -> None:
    odd = {"question": "odd name", "kind": "name", "hits": ["a/[1].png", "b/fox.png"]}
    assert read_questions(written(tmp_path, LINE, odd), PATHS) == [
        Question("in a", "place", frozenset({0, 1})),
        Question("odd name", "name", frozenset({1, 2})),
    ]


def test_halves_are_all_there_is_and_have_nothing_in_common(tmp_path: Path) -> None:
    lines = [LINE | {"question": f"number {n}"} for n in range(40)]
    file = written(tmp_path, *lines)
    tune, test = (read_questions(file, PATHS, half) for half in ("tune", "test"))
    assert {one.text for one in tune} | {one.text for one in test} == {
        line["question"] for line in lines
    }
    assert len(tune) + len(test) == 40
    assert 10 < len(tune) < 30
    # By the rule that is written down: it must not change.
    assert (half_of("van Gogh"), half_of("Sydney 2017"), half_of("é")) == ("tune", "test", "tune")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINE | {"hits": ["c/*"]}, r"line 1: 'in a': no image 'c/\*' in the bundle"),
        (LINE | {"hits": []}, "has no hits"),
        (LINE | {"hits": "a/*"}, "line 1 is no"),
        (LINE | {"hits": [3]}, "line 1 is no"),
        (LINE | {"kind": None}, "line 1 is no"),
        ({"query": "a"}, "line 1 is no"),
        ("a", "line 1 is no"),
    ],
)
def test_what_is_no_question_is_told(tmp_path: Path, line: object, message: str) -> None:
    with pytest.raises(BuildError, match=message) as refused:
        read_questions(written(tmp_path, line), PATHS)
    assert "questions.jsonl" in str(refused.value)


def test_a_file_without_questions_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"holds no questions$"):
        read_questions(written(tmp_path), PATHS)
    half = "tune" if half_of("in a") == "test" else "test"
    with pytest.raises(BuildError, match=f"no questions of the half {half}"):
        read_questions(written(tmp_path, LINE), PATHS, half)
    with pytest.raises(BuildError, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl", PATHS)


def item(position: int, caption: str | None, source: str = "iptc") -> Item:
    path = f"{position}.jpg"
    sources = {"caption": source}
    return Item(position, path, path, 1, 1, caption, caption or "", sources=sources)


def test_captions_are_questions_where_somebody_has_written_them() -> None:
    items = [item(0, "a fox"), item(1, None), item(2, "a fox"), item(3, "an owl", "captioner")]
    assert questions_of_captions(items) == [Question("a fox", "caption", frozenset({0, 2}))]
    half = half_of("a fox")
    assert len(questions_of_captions(items, half)) == 1
    with pytest.raises(BuildError, match="no captions to ask for"):
        questions_of_captions(items, "tune" if half == "test" else "test")
    with pytest.raises(BuildError, match="give --questions"):
        questions_of_captions(items[1:2])


def test_the_gallery_s_questions_are_what_their_paper_says() -> None:
    gallery = ROOT / "demo" / "gallery"
    paths = sorted(file.relative_to(gallery).as_posix() for file in gallery.rglob("*.*"))
    questions = read_questions(ROOT / "demo" / "questions.jsonl", paths)
    assert len({question.text for question in questions}) == len(questions) == 275
    paper = (ROOT / "demo" / "QUESTIONS.md").read_text("utf-8")
    for kind, count in Counter(question.kind for question in questions).items():
        [row] = [line for line in paper.splitlines() if line.startswith(f"| `{kind}` |")]
        assert row.endswith(f"| {count} |")
    halves = Counter(half_of(question.text) for question in questions)
    assert halves == {"tune": 116, "test": 159}
    assert "(116 questions)" in paper
    assert "`test` (159)" in paper
