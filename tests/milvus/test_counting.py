"""What is told of a field goes by what all images have in it, whichever are counted."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from models.facet_counts import Facet
from models.milvus.counting import count
from models.milvus.questions import Deadline

MANY = {"min": 0, "max": 99, "histogram": [], "total": 100, "missing": 0}


def counted(values: list[Any], offered: Facet | None) -> Facet:
    """The facet of a few images, where all have what was offered of the field."""
    rows = [{"item": json.dumps({"metadata": {"field": value}})} for value in values]
    questions: Any = SimpleNamespace(
        deadline=lambda: Deadline(10),
        count=lambda expression: len(rows),
        rows=lambda expression, fields, most: rows,
        is_there=lambda fact: True,
    )
    before = {} if offered is None else {"field": offered}
    found = count(questions, before, ["field"], "some")
    assert found.warnings == []
    return found.by_field["field"]


@pytest.mark.parametrize(
    ("values", "offered", "form"),
    [
        (["2019", "2019"], None, "values"),
        (["2019", "2019"], {"dates": []}, "dates"),
        (["2019-03", "2019"], None, "dates"),
        (["2019-03", "2019"], {"values": []}, "values"),
        ([1, 2, 7], None, "values"),
        ([1, 2, 7], MANY, "histogram"),
        ([*range(60)], None, "histogram"),
        ([None], {"dates": []}, "dates"),
    ],
)
def test_the_form_is_that_of_all(values: list[Any], offered: Facet | None, form: str) -> None:
    assert form in counted(values, offered)


def test_years_alone_are_counted_as_years() -> None:
    assert counted(["2019", "2019", None], {"dates": []}) == {
        "dates": [{"year": 2019, "count": 2, "months": {}}],
        "total": 1,
        "missing": 1,
    }
    found = counted([1, 2, 7], MANY)
    assert (found["min"], found["max"]) == (1, 7)
    assert sum(bucket["count"] for bucket in found["histogram"]) == found["total"] == 3
