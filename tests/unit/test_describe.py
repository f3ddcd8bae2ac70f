"""What is said of each picture."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from build.captions import Caption
from build.describe import describe, json_safe
from models.items import item_id

PATHS = ["a/IMG_1234.jpg", "b.jpg", "c.jpg"]
CAPTIONS = {"b.jpg": Caption("A red fox", {"year": 1999}), "c.jpg": Caption(None, {"year": 2000})}
VECTORS = np.eye(3, dtype=np.float32)


def guess(vectors: NDArray[np.float32]) -> list[str]:
    return [f"Probably: thing {int(row.argmax())}" for row in vectors]


def test_alt_text_is_the_caption_or_else_a_guess() -> None:
    items = describe(PATHS, [(640, 480), None, (3, 2)], VECTORS, CAPTIONS, guess)
    assert [(item.alt_text, item.alt_text_source) for item in items] == [
        ("Probably: thing 0", "tags"),
        ("A red fox", "caption"),
        ("Probably: thing 2", "tags"),
    ]
    assert [item.caption for item in items] == [None, "A red fox", None]
    assert [item.metadata for item in items] == [{}, {"year": 1999}, {"year": 2000}]
    assert [(item.width, item.height) for item in items] == [(640, 480), (None, None), (3, 2)]
    assert [item.position for item in items] == [0, 1, 2]
    assert [item.id for item in items] == [item_id(path) for path in PATHS]


def test_without_either_it_says_what_is_known_and_never_the_name() -> None:
    items = describe(PATHS, [(640, 480), None, None], VECTORS, CAPTIONS, None)
    assert [(item.alt_text, item.alt_text_source) for item in items] == [
        ("Picture, 640 by 480 pixels", "none"),
        ("A red fox", "caption"),
        ("Picture", "none"),
    ]


def test_an_empty_guess_is_none() -> None:
    items = describe(PATHS[:1], [(2, 2)], VECTORS[:1], {}, lambda vectors: [""] * len(vectors))
    assert items[0].alt_text_source == "none"


def test_metadata_of_any_kind_becomes_json() -> None:
    value = {1: float("nan"), "when": date(2020, 1, 2), "half": "\ud83d", "all": (1, [True, None])}
    assert json_safe(value) == {
        "1": None,
        "when": "2020-01-02",
        "half": "?",
        "all": [1, [True, None]],
    }


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.dates(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.dictionaries(st.text(st.characters()) | st.integers(), inner)
    ),
    max_leaves=10,
)


@given(value=anything)
def test_json_safe_is_what_it_says(value: Any) -> None:
    written = json.dumps(json_safe(value), ensure_ascii=False, allow_nan=False).encode()
    assert json.loads(written) == json_safe(value)


def test_nesting_has_an_end() -> None:
    value: Any = "deep"
    for _ in range(500):
        value = [value]
    written = json.dumps(json_safe(value))
    assert "deep" in written
    assert json.dumps(json_safe(value))[:34].count("[") < 34
