"""How the values of a field lie in the file, and what is read of them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from models.filters import Interval
from models.runs import RunStore
from tests.facts import facts_database


def rows(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "facts.sqlite")) as connection:
        return connection.execute(query).fetchall()


def test_a_field_is_cut_into_runs_of_2048(tmp_path: Path) -> None:
    """Of which a condition reads those in which it may be met, and no more than these."""
    metadata = [{"n": number % 7, "constant": "x"} for number in range(5000)]
    store = RunStore(facts_database(tmp_path, metadata))
    assert rows(
        tmp_path,
        "SELECT field, kind, low, high, length(positions) / 4, length(counts) / 2, "
        "(SELECT parts FROM runs WHERE runs.run = facts.run) FROM facts ORDER BY run",
    ) == [
        ("constant", "text", "x", "x", 2048, None, None),
        ("constant", "text", "x", "x", 2048, None, None),
        ("constant", "text", "x", "x", 904, None, None),
        ("n", "number", 0, 2, 2048, 3, "[0, 1, 2]"),
        ("n", "number", 2, 5, 2048, 4, "[2, 3, 4, 5]"),
        ("n", "number", 5, 6, 904, 2, "[5, 6]"),
    ]
    deadline = time.monotonic() + 60
    for interval, wanted in [
        (None, [3, 4, 5]),
        (Interval("number", 6), [5]),
        (Interval("number", None, 1), [3]),
        (Interval("number", 3, 4), [4]),
        (Interval("text", "a"), []),
    ]:
        assert [run.number for run in store.meeting("n", interval, deadline)] == wanted
    # Positions of equals come in their order.
    [run, *_] = store.of_kinds("n", ["number", "text"], deadline)
    assert run.positions[:3].tolist() == [0, 7, 14]
    assert run.counts is not None
    assert run.counts.tolist() == [715, 715, 618]
    assert store.values(run, deadline) == [0, 1, 2]
    [constant, *_] = store.of_kinds("constant", ["text"], deadline)
    assert store.values(constant, deadline) == ["x"]


@pytest.mark.parametrize(
    ("values", "months"),
    [
        (["2019-07-03", "2019-07", "2019-08-01T10:00:00Z"], {"2019-07": 2, "2019-08": 1}),
        (["2019-07-03 10:00", "2018"], {"2018": 1, "2019-07": 1}),
        ([["2019-07-03", "2019-07-04", "2020-01"], None], {"2019-07": 1, "2020-01": 1}),
        (["2019-07-03", "soon"], None),
        (["2019-07-03", 2019], None),
        (["2019-07-03", True], None),
        (["2018", "2019"], None),
        (["2019-13"], None),
        (["2019-00"], None),
        (["2019-07-3"], None),
        (["2019-07-031"], None),
        (["x2019-07"], None),
        (["\u0662\u0660\u0661\u0669-07"], None),
    ],
)
def test_a_field_of_dates_has_their_months(
    tmp_path: Path, values: list[Any], months: dict[str, int] | None
) -> None:
    store = RunStore(facts_database(tmp_path, [{"t": value} for value in values]))
    deadline = time.monotonic() + 60
    found = store.of_kinds("t", ["month"], deadline)
    if months is None:
        assert found == []
        return
    [run] = found
    counts = [len(run.positions)] if run.counts is None else run.counts.tolist()
    assert dict(zip(store.values(run, deadline), counts, strict=True)) == months
    assert "month" not in {run.kind for run in store.meeting("t", None, deadline)}


def test_two_spellings_of_a_name_say_a_thing_once(tmp_path: Path) -> None:
    store = RunStore(facts_database(tmp_path, [{"\u00e9": ["a", "b"], "e\u0301": "a"}]))
    [run] = store.of_kinds("\u00e9", ["text"], time.monotonic() + 60)
    assert run.positions.tolist() == [0, 0]
    assert store.values(run, time.monotonic() + 60) == ["a", "b"]
