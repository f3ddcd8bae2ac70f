"""What is said of each image."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from build.bundle_items import AltTexts, describe, json_safe
from build.metadata.description import Description
from models.items import Item, item_id

PATHS = ["a/IMG_1234.jpg", "b.jpg", "c.jpg"]
SAID = {
    "b.jpg": Description("A red fox", None, {"year": 1999}, {"caption": "iptc", "year": "sidecar"}),
    "c.jpg": Description(None, None, {"year": 2000}, {"year": "sidecar"}),
}
VECTORS = np.eye(3, dtype=np.float32)


def guess(vectors: NDArray[np.float32]) -> list[str]:
    return [f"Probably: thing {int(row.argmax())}" for row in vectors]


def test_alt_text_is_the_caption_or_else_a_guess() -> None:
    items = list(describe(PATHS, [(640, 480), None, (3, 2)], VECTORS, SAID, guess))
    assert [(item.alt_text, item.sources.get("alt_text")) for item in items] == [
        ("Probably: thing 0", "tags"),
        ("A red fox", "iptc"),
        ("Probably: thing 2", "tags"),
    ]
    assert [item.caption for item in items] == [None, "A red fox", None]
    assert [item.metadata for item in items] == [{}, {"year": 1999}, {"year": 2000}]
    assert [(item.width, item.height) for item in items] == [(640, 480), (None, None), (3, 2)]
    assert [item.position for item in items] == [0, 1, 2]
    assert [item.id for item in items] == [item_id(path) for path in PATHS]


def test_alt_text_that_was_written_for_it_comes_first() -> None:
    both = Description(
        "A red fox", "A fox looks back", {}, {"caption": "sidecar", "alt_text": "xmp-alt-text"}
    )
    (item,) = describe(["a.jpg"], [None], VECTORS[:1], {"a.jpg": both}, guess)
    assert (item.caption, item.alt_text) == ("A red fox", "A fox looks back")
    assert item.sources == {"caption": "sidecar", "alt_text": "xmp-alt-text"}


def test_what_stands_in_the_image_is_read_where_nobody_says_more() -> None:
    def said(text: str, guess: AltTexts | None = None, **of: Any) -> tuple[str, str | None]:
        (item,) = describe(["a"], [(2, 2)], VECTORS[:1], of, guess, texts={"a": text})
        assert item.text == text
        assert item.sources["text"] == "ocr"
        return item.alt_text, item.sources["alt_text"]

    assert said("NO ENTRY") == ("Text: NO ENTRY", "ocr")
    assert said("NO ENTRY", guess) == ("Probably: thing 0. Text: NO ENTRY", "tags")
    assert said("NO ENTRY", guess, a=Description("A sign", sources={"caption": "exif"})) == (
        "A sign",
        "exif",
    )
    alt_text, _ = said("word " * 1000)
    assert len(alt_text) == 207
    assert alt_text.endswith("…")


def test_without_either_it_says_what_is_known_and_never_the_name() -> None:
    items = list(describe(PATHS, [(640, 480), None, None], VECTORS, SAID, None))
    assert [(item.alt_text, item.sources.get("alt_text")) for item in items] == [
        ("Picture, 640 by 480 pixels", None),
        ("A red fox", "iptc"),
        ("Picture", None),
    ]


def test_images_are_described_in_parts_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"{number}.jpg" for number in range(50)]
    sizes = [(number, 1) if number % 3 else None for number in range(50)]
    vectors = np.eye(50, dtype=np.float32)
    said = dict.fromkeys(paths[::4], SAID["b.jpg"])
    texts, written = {"9.jpg": "NO ENTRY"}, {"11.jpg": "An owl"}

    def described() -> list[Item]:
        return list(describe(paths, sizes, vectors, said, guess, written=written, texts=texts))

    whole = described()
    assert [item.alt_text for item in whole[8:12]] == [
        "A red fox",
        "Probably: thing 9. Text: NO ENTRY",
        "Probably: thing 10",
        "An owl",
    ]
    monkeypatch.setattr("build.bundle_items._AT_ONCE", 7)
    assert described() == whole


def test_an_empty_guess_is_none() -> None:
    items = list(
        describe(PATHS[:1], [(2, 2)], VECTORS[:1], {}, lambda vectors: [""] * len(vectors))
    )
    assert items[0].sources == {}


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
