"""Which queries should find which images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from build.candidates import caption_queries, read_queries
from build.errors import BuildError
from tests.candidates import images


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
