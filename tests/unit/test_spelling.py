"""What a query may have meant whose words nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.item_writer import write_items
from models.items import Item, ItemStore, item_id
from tests.unit.test_items import opened

CAPTIONS = [
    "A penguin on the ice",
    "Penguins at a Château",
    "An elephant",
    "An elephant by the lake",
    "An elegant lake",
    "A walrus",
]
VOCABULARY = ["hot-air balloon", "zebra"]
KNOWN = {"melancholy", "elegance", "on", "the"}


def store(folder: Path) -> ItemStore:
    items = (
        Item(at, item_id(f"{at}.jpg"), f"{at}.jpg", 4, 3, caption, "", sources={"caption": "iptc"})
        for at, caption in enumerate(CAPTIONS)
    )
    write_items(folder / "items.sqlite", items, VOCABULARY)
    return opened(folder)


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("pengiun", "penguin"),
        ("a Pengiun, on the ice!", "a Penguin, on the ice!"),
        ("elephnat", "elephant"),
        ("chateua", "chateau"),
        ("Ch\u00e2teua", "Chateau"),
        ("zerba", "zebra"),
        ("hot-air baloon", "hot-air balloon"),
        ("elephan pengin", "elephant penguin"),
        # Of two that are as near, what is said of more images.
        ("eleghant", "elephant"),
    ],
)
def test_a_slip_is_mended(tmp_path: Path, query: str, meant: str) -> None:
    assert store(tmp_path).meant(query, KNOWN.__contains__) == meant


@pytest.mark.parametrize(
    "query",
    [
        "penguin",
        "PENGUIN on the ice",
        "château",
        "melancholy",
        "elegance",
        "walruses",
        "xylophone",
        "lak",
        "l4ke",
        "1234567",
        "\u65e5\u672c\u8a9e\u65e5\u672c",
        "",
        "a" * 1000,
    ],
)
def test_what_somebody_knows_is_left_alone(tmp_path: Path, query: str) -> None:
    assert store(tmp_path).meant(query, KNOWN.__contains__) is None


def test_short_words_are_mended_with_care(tmp_path: Path) -> None:
    items = store(tmp_path)
    assert items.meant("lkae", KNOWN.__contains__) == "lake"
    assert items.meant("llkae", KNOWN.__contains__) is None
