"""How many images have each value of a field, against what plain Python counts."""

from __future__ import annotations

import math
import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import models.runs
from models.database import Database, SlowQueryError
from models.facets import MOST_VALUES, FacetStore
from models.facts import FactStore
from models.filters import MAX_TEXT
from models.manifest import DamagedError
from tests.facts import facts_database, opened_facts
from tests.unit.test_facts import names, numbers, values

SOME: list[dict[str, Any]] = [
    {"year": 1999, "tags": ["fox", "snow"], "taken_at": "2019-07-03T10:00:00", "public": True},
    {"year": 2003, "tags": "fox", "taken_at": "2019-07-04", "public": False},
    {"year": "1999", "tags": [], "taken_at": "2018", "public": True},
    {"tags": ["Zu\u0308rich", "fox"], "taken_at": ["2019-08-01", "2019-07-31"], "licence": None},
    {"tags": "Z\u00fcrich", "taken_at": None},
]


def store(folder: Path, metadata: Sequence[Mapping[str, Any]]) -> FacetStore:
    return FacetStore(facts_database(folder, metadata), len(metadata))


def counted(
    facets: FacetStore, fields: Sequence[str] | None, positions: Sequence[int] | None = None
) -> dict[str, Any]:
    among = None if positions is None else np.array(positions, dtype=np.int64)
    return facets.count(fields, among, seconds=60).by_field


def listed(*pairs: tuple[Any, int]) -> list[dict[str, Any]]:
    return [{"value": value, "count": count} for value, count in pairs]


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> FacetStore:
    return store(tmp_path_factory.mktemp("facets"), SOME)


def test_values_are_counted_the_most_frequent_first(some: FacetStore) -> None:
    assert counted(some, ["tags", "year", "public", "Zu\u0308"]) == {
        "tags": {
            "values": listed(("fox", 3), ("Z\u00fcrich", 2), ("snow", 1)),
            "total": 3,
            "missing": 1,
        },
        "year": {"values": listed((1999, 1), (2003, 1), ("1999", 1)), "total": 3, "missing": 2},
        "public": {"values": listed((True, 2), (False, 1)), "total": 2, "missing": 2},
        "Zu\u0308": {"values": [], "total": 0, "missing": 5},
    }
    assert counted(some, ["tags", "public", "licence"], [3, 2, 1]) == {
        "tags": {"values": listed(("fox", 2), ("Z\u00fcrich", 1)), "total": 2, "missing": 1},
        "public": {"values": listed((False, 1), (True, 1)), "total": 2, "missing": 1},
        "licence": {"values": [], "total": 0, "missing": 3},
    }
    [true] = [one["value"] for one in counted(some, ["public"], [0])["public"]["values"]]
    assert true is True


def test_dates_are_counted_by_year_and_month(some: FacetStore) -> None:
    july, august = {"2019-07": 3}, {"2019-07": 3, "2019-08": 1}
    assert counted(some, ["taken_at"])["taken_at"] == {
        "dates": [
            {"year": 2018, "count": 1, "months": {}},
            {"year": 2019, "count": 3, "months": august},
        ],
        "total": 3,
        "missing": 1,
    }
    assert counted(some, ["taken_at"], [0, 1, 4])["taken_at"] == {
        "dates": [{"year": 2019, "count": 2, "months": {**july, "2019-07": 2}}],
        "total": 1,
        "missing": 1,
    }
    nothing = {"dates": [], "total": 0, "missing": 0}
    assert counted(some, ["taken_at"], [])["taken_at"] == nothing


def test_many_numbers_are_counted_between_round_ones(tmp_path: Path) -> None:
    metadata: list[dict[str, Any]] = [{"iso": 100 + number} for number in range(60)]
    metadata += [{"iso": [100, 101, 159]}, {"iso": None}, {"iso": 10**400}, {"iso": -(10**400)}]
    facets = store(tmp_path, metadata)
    found = counted(facets, ["iso"])["iso"]
    assert (found["min"], found["max"], found["total"], found["missing"]) == (100, 159, 62, 1)
    assert found["histogram"][0] == {"gte": 100, "lt": 105, "count": 6}
    assert found["histogram"][-1] == {"gte": 155, "lt": 160, "count": 6}
    assert [bucket["count"] for bucket in found["histogram"][1:-1]] == [5] * 10
    # As the bundle has so many, a few are told in the same way.
    assert counted(facets, ["iso"], [4, 7])["iso"] == {
        "min": 104,
        "max": 107,
        "histogram": [
            {"gte": 104, "lt": 105, "count": 1},
            {"gte": 105, "lt": 106, "count": 0},
            {"gte": 106, "lt": 107, "count": 0},
            {"gte": 107, "lt": 108, "count": 1},
        ],
        "total": 2,
        "missing": 0,
    }
    nothing = {"min": None, "max": None, "histogram": [], "total": 0, "missing": 1}
    assert counted(facets, ["iso"], [61])["iso"] == nothing
    assert counted(facets, ["iso"], [62, 63])["iso"] == nothing | {"total": 2, "missing": 0}


def test_a_bucket_has_as_many_as_a_filter_finds(tmp_path: Path) -> None:
    metadata = [{"f": number**1.5 / 7} for number in range(300)]
    database = facts_database(tmp_path, metadata)
    found = counted(FacetStore(database, 300), ["f"])["f"]
    assert 8 <= len(found["histogram"]) <= 20
    for bucket in found["histogram"]:
        asked = {"f": {"gte": bucket["gte"], "lt": bucket["lt"]}}
        positions = FactStore(database, 300).matching(asked, seconds=60).positions
        assert bucket["count"] == len(positions)


def test_of_many_values_those_most_frequent_are_shown(tmp_path: Path) -> None:
    metadata = [{"t": f"{number % 100:02}"} for number in range(150)]
    found = counted(store(tmp_path, metadata), ["t"])["t"]
    assert found["values"] == listed(*((f"{number:02}", 2) for number in range(50)))
    assert (found["total"], found["missing"]) == (100, 0)
    found = counted(opened(tmp_path, 150), ["t"], range(95, 150))["t"]
    assert found["values"] == listed(*((f"{number:02}", 1) for number in range(50)))
    assert found["total"] == 55


def opened(folder: Path, images: int) -> FacetStore:
    return FacetStore(opened_facts(folder), images)


def test_what_no_filter_could_ask_for_is_counted_and_not_shown(tmp_path: Path) -> None:
    metadata = [{"t": "x" * (MAX_TEXT + 5)}, {"t": "y"}, {"t": "x" * MAX_TEXT}, {"n": 10**400}]
    found = counted(store(tmp_path, metadata), ["t", "n"])
    assert found["t"]["values"] == listed(("x" * MAX_TEXT, 1), ("y", 1))
    assert (found["t"]["total"], found["t"]["missing"]) == (3, 1)
    assert found["n"] == {"values": [], "total": 1, "missing": 3}


def test_only_the_latest_years_are_shown(tmp_path: Path) -> None:
    metadata = [{"t": f"{year}-01"} for year in range(1000, 1500)]
    found = counted(store(tmp_path, metadata), ["t"])["t"]
    assert [one["year"] for one in found["dates"]] == list(range(1300, 1500))
    assert found["total"] == 500


def test_fields_that_no_image_has_are_told(some: FacetStore) -> None:
    found = some.count(["colour", "tags", "licence", "e\u0301"], seconds=60)
    assert found.warnings == [
        "no image has a field 'colour'",
        "no image has a field 'e\u0301'",
    ]
    assert list(found.by_field) == ["colour", "tags", "licence", "e\u0301"]


def test_good_filters_are_offered_those_first_that_most_images_have(tmp_path: Path) -> None:
    metadata: list[dict[str, Any]] = [
        {
            "same": "x",
            "title": f"title {number}",
            "kind": ["odd", "even"][number % 2],
            "sentence": "x" * 61 if number % 2 else "y",
            "width": number,
            "few": number % 3,
            "null": None,
            "nested": {"deep": [1, 2]},
            "code": f"10{number:02}",
            "huge": ["x" * 2000, "y" * 2000][number % 2],
        }
        | ({"taken_at": "2019-07-03"} if number < 50 else {})
        | ({"public": True} if number < 40 else {})
        for number in range(60)
    ]
    facets = store(tmp_path, metadata)
    offered = counted(facets, None)
    assert list(offered) == ["few", "kind", "width", "taken_at", "public"]
    assert offered == counted(facets, list(offered))
    # Counted beforehand as it is counted when it is asked for.
    assert offered == counted(facets, list(offered), range(60))
    assert counted(facets, None, [1]) == counted(facets, list(offered), [1])
    few = counted(facets, None, [1])["few"]
    assert few == {"values": listed((1, 1)), "total": 1, "missing": 0}


def test_a_bundle_of_ten_thousand_fields_offers_some(tmp_path: Path) -> None:
    metadata = [{f"field {n}": number % 2 for n in range(10_000 - number)} for number in range(4)]
    facets = store(tmp_path, metadata)
    assert list(counted(facets, None)) == sorted(f"field {n}" for n in range(9997))[:32]
    with closing(sqlite3.connect(tmp_path / "facts.sqlite")) as connection:
        [(size,)] = connection.execute("SELECT sum(length(facet)) FROM facets").fetchall()
    assert size < 10_000


def test_a_bundle_without_images_has_no_facets(tmp_path: Path) -> None:
    facets = store(tmp_path, [])
    assert counted(facets, None) == {}
    nothing = {"x": {"values": [], "total": 0, "missing": 0}}
    assert counted(facets, ["x"]) == nothing
    assert counted(facets, ["x"], []) == nothing


def test_counting_gives_up_in_time(some: FacetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SlowQueryError):
        some.count(["tags"], np.array([1]), seconds=0)
    with pytest.raises(SlowQueryError):
        some.count(None, seconds=0)
    deadlines: list[float | None] = []
    rows = Database.rows

    def noting(
        self: Database, query: str, parameters: Any = (), *, deadline: float | None = None
    ) -> Any:
        deadlines.append(deadline)
        return rows(self, query, parameters, deadline=deadline)

    monkeypatch.setattr(Database, "rows", noting)
    some.count(["tags", "taken_at", "nothing"], np.array([1]), seconds=60)
    assert len(deadlines) > 8
    assert None not in deadlines
    assert len(set(deadlines)) == 1


def test_what_was_altered_is_not_believed(tmp_path: Path) -> None:
    for statement in (
        "UPDATE facets SET facet = replace(facet, '1', '2')",
        "UPDATE facts SET counts = zeroblob(4)",
    ):
        facts_database(tmp_path, [{"a": "x"}, {"a": "y"}, {"a": "x"}])
        with closing(sqlite3.connect(tmp_path / "facts.sqlite")) as connection, connection:
            connection.execute(statement)
        among = None if "UPDATE facets" in statement else np.array([0])
        with pytest.raises(DamagedError, match=r"facts\.sqlite is damaged"):
            opened(tmp_path, 3).count(["a"], among, seconds=60)
        (tmp_path / "facts.sqlite").unlink()


# --- against plain Python -----------------------------------------------------------------------


def said(metadata: Mapping[str, Any], name: str) -> set[tuple[str, Any]]:
    """What an image says of a field: kinds, in the order in which they come, and values."""
    found = set()
    for key, value in metadata.items():
        if unicodedata.normalize("NFC", key) != unicodedata.normalize("NFC", name):
            continue
        each = value if isinstance(value, list) else [value]
        for one in value.values() if isinstance(value, dict) else each:
            if isinstance(one, str):
                found.add(("text", unicodedata.normalize("NFC", one)))
            elif isinstance(one, bool):
                found.add(("boolean", one))
            elif isinstance(one, int | float):
                found.add(("number", one))
    return found


def values_of(every: Sequence[set[tuple[str, Any]]]) -> Iterator[dict[str, Any]]:
    counts = Counter(one for some in every for one in some)
    best = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MOST_VALUES]
    return ({"value": value, "count": count} for (_, value), count in best)


dates = st.builds(
    lambda year, month, day: f"{year}-{month:02}{day}",
    st.integers(2018, 2020),
    st.integers(1, 12),
    st.sampled_from(["", "-01", "-02", "-02T10:00:00Z"]),
)
mixed = st.lists(
    st.dictionaries(names, values | dates | st.lists(dates, max_size=3), max_size=4), max_size=12
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(metadata=mixed, field=names, run=st.integers(1, 5), data=st.data())
@example(
    metadata=[{"\u00e9": ["a", "b"], "e\u0301": ["b"]}, {"\u00e9": True}],
    field="e\u0301",
    run=1,
    data=None,
)
def test_counts_are_those_of_plain_python(
    tmp_path_factory: pytest.TempPathFactory,
    metadata: list[dict[str, Any]],
    field: str,
    run: int,
    data: Any,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.runs, "_RUN", run)
        facets = store(tmp_path_factory.mktemp("facets"), metadata)
    places = st.sets(st.sampled_from(range(len(metadata)))) if metadata else st.just(set())
    positions = sorted(data.draw(places)) if data else list(range(len(metadata)))
    every = [said(metadata[position], field) for position in positions]
    found = counted(facets, [field], positions)[field]
    assert found["missing"] == every.count(set())
    if "dates" in found:
        months = Counter(month for some in every for month in {one[:7] for _, one in some})
        years = Counter(year for some in every for year in {one[:4] for _, one in some})
        assert found["total"] == len(months)
        assert found["dates"] == [
            {
                "year": int(year),
                "count": count,
                "months": {month: months[month] for month in sorted(months) if month[:-3] == year},
            }
            for year, count in sorted(years.items())
        ]
    else:
        assert found["total"] == len(set().union(*every))
        assert found["values"] == list(values_of(every))
    if len(positions) == len(metadata):
        assert counted(facets, [field])[field] == found


@settings(deadline=None, max_examples=100)
@given(
    every=st.lists(
        st.lists(numbers, min_size=1, max_size=3),
        min_size=1,
        max_size=20,
    ),
    run=st.integers(1, 40),
)
def test_a_histogram_counts_every_number(
    tmp_path_factory: pytest.TempPathFactory, every: list[list[float]], run: int
) -> None:
    metadata = [{"n": some} for some in every] + [{"n": each / 8} for each in range(60)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.runs, "_RUN", run)
        facets = store(tmp_path_factory.mktemp("facets"), metadata)
    found = counted(facets, ["n"], range(len(every)))["n"]
    each = [number for some in every for number in some]
    assert (found["min"], found["max"]) == (min(each), max(each))
    assert found["total"] == len(set(each))
    buckets = found["histogram"]
    for bucket in buckets:
        high = math.inf if bucket is buckets[-1] else bucket["lt"]
        inside = [any(bucket["gte"] <= one < high for one in some) for some in every]
        assert bucket["count"] == sum(inside)
