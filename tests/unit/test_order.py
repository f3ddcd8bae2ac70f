"""Images in an order of their own, as a sort of all of them in Python has it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import order
from models.database import SlowQueryError
from models.items import Item, ItemStore, item_id, write_items
from tests.unit.test_items import opened

VALUES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text(max_size=3)
METADATA = st.dictionaries(
    st.sampled_from(["year", "größe"]), VALUES | st.lists(VALUES, max_size=3), max_size=2
)
# In no order of their own, as after a change.
PATHS = ["b/2.jpg", "b/10.jpg", "a.jpg", "Z.jpg", "ä.jpg", "\U0001f98a.jpg", "\uffee.jpg", "0.jpg"]


def store(folder: Path, metadata: list[dict[str, Any]]) -> ItemStore:
    items = (
        Item(position, item_id(path), path, 4, 3, None, "", metadata=facts)
        for position, (path, facts) in enumerate(zip(PATHS, metadata, strict=False))
    )
    write_items(folder / "items.sqlite", items)
    return opened(folder)


def least(value: Any) -> tuple[int, Any] | None:
    """What a value is sorted by: numbers, then texts; None where it has none of either."""
    values = value if isinstance(value, list) else [value]
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    if numbers:
        return 0, min(numbers)
    texts = [one for one in values if isinstance(one, str)]
    return (1, min(texts)) if texts else None


@settings(max_examples=150, deadline=None)
@given(
    metadata=st.lists(METADATA, min_size=1, max_size=len(PATHS)),
    by=st.sampled_from(["year", "-year", "größe", "-gro\u0308ße", "path", "-path", "spread"]),
    kept=st.none() | st.sets(st.integers(0, len(PATHS) - 1)),
    start=st.integers(0, 5),
    size=st.integers(0, 9),
)
def test_any_page_is_that_of_a_sort(
    metadata: list[dict[str, Any]], by: str, kept: set[int] | None, start: int, size: int
) -> None:
    there = set(range(len(metadata))) if kept is None else {n for n in kept if n < len(metadata)}
    name = {"-gro\u0308ße": "größe"}.get(by, by.removeprefix("-"))
    if name in ("path", "spread"):
        key = PATHS.__getitem__ if name == "path" else lambda one: item_id(PATHS[one])
        expected = sorted(there, key=key, reverse=by.startswith("-"))
    else:
        known = {one: least(facts.get(name)) for one, facts in enumerate(metadata)}
        having = sorted((found, one) for one, found in known.items() if found is not None)
        if by.startswith("-"):
            having.reverse()
        without = [one for one, found in known.items() if found is None]
        expected = [one for one in [*(one for _, one in having), *without] if one in there]
    with tempfile.TemporaryDirectory() as folder:
        items = store(Path(folder), metadata)
        among = None if kept is None else np.array(sorted(there), dtype=np.int64)
        for few in (5000, 0):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(order, "_FEW", few)
                patch.setattr(order, "_WINDOW", 3)
                found = items.ordered(by, among, start=start, stop=start + size)
            assert found.positions.tolist() == expected[start : start + size]
        items.close()


def test_a_field_that_no_image_has_is_told(tmp_path: Path) -> None:
    items = store(tmp_path, [{"year": 2}, {"year": "x"}, {"seen": True}])
    for name in ("price", "seen"):
        found = items.ordered(f"-{name}", stop=9)
        assert found.positions.tolist() == [0, 1, 2]
        assert found.warnings == (f"no image has a field {name!r} that could be sorted by",)
    assert items.ordered("year", stop=9).warnings == ()


def test_it_is_given_up_when_it_takes_too_long(tmp_path: Path) -> None:
    items = store(tmp_path, [{"year": 2}, {"year": 1}])
    for by in ("path", "year"):
        with pytest.raises(SlowQueryError):
            items.ordered(by, stop=9, seconds=0)
