"""Filters: what they find, what they refuse, and that they give up in time."""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import models.runs
from models.database import Database, SlowQueryError
from models.facts import FactStore
from models.filters import MAX_CONDITIONS, MAX_NAME, MAX_TEXT, MAX_VALUES
from models.manifest import DamagedError
from tests.facts import facts_database, opened_facts

METADATA: list[dict[str, Any]] = [
    {"year": 1999, "tags": ["fox", "snow"], "licence": "CC0-1.0", "taken_at": "2019-12-31"},
    {"year": 2003.5, "tags": "fox", "public": True, "licence": None},
    {"year": "1999", "public": False, "a.b[0]": 1, "taken_at": "2020-01-01T08:30:00"},
    {},
    {"tags": [], "camera": {"make": "Leica", "lens": {"mm": 35}}, "city": "Zu\u0308rich"},
    {"city": "Z\u00fcrich", "tags": [["fox"], None, 7, True], "taken_at": "2021"},
]


def store(folder: Path, metadata: Sequence[Mapping[str, Any]]) -> FactStore:
    return FactStore(facts_database(folder, metadata), len(metadata))


def opened(folder: Path, images: int) -> FactStore:
    return FactStore(opened_facts(folder), images)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> FactStore:
    return store(tmp_path_factory.mktemp("facts"), METADATA)


def found(facts: FactStore, conditions: dict[str, Any]) -> list[int]:
    positions: list[int] = facts.matching(conditions, seconds=60).positions.tolist()
    return positions


@pytest.mark.parametrize(
    ("conditions", "positions"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"year": 1999}, [0]),
        ({"year": "1999"}, [2]),
        ({"year": 1999.0}, [0]),
        ({"year": {"gte": 1999}}, [0, 1]),
        ({"year": {"gt": 1999, "lt": 2004}}, [1]),
        ({"year": {"gt": 1999, "gte": 1999}}, [1]),
        ({"year": {"lt": 2003.5, "lte": 2003.5}}, [0]),
        ({"year": {"gte": 1999, "gt": 1999}}, [1]),
        ({"year": {"lte": 2003.5, "lt": 2003.5}}, [0]),
        ({"year": {"lte": 2003.5, "lt": 1999.5, "gt": 7, "gte": 1999}}, [0]),
        ({"year": {"lt": 2004, "lte": 1999, "gte": 3, "gt": 1998}}, [0]),
        ({"year": {"lte": "2"}}, [2]),
        ({"year": {"gte": 0, "lte": "2"}}, []),
        ({"tags": "fox"}, [0, 1]),
        ({"tags": "snow", "year": {"lt": 2000}}, [0]),
        ({"public": True}, [1]),
        ({"public": False}, [2]),
        ({"public": 1}, []),
        ({"tags": 7}, [5]),
        ({"tags": True}, [5]),
        ({"tags": None}, []),
        ({"licence": None}, [1]),
        ({"a.b[0]": 1}, [2]),
        ({"a": 1}, []),
        ({"camera": "Leica"}, [4]),
        ({"camera": 35}, []),
        ({"year": 10**18}, []),
        ({"unknown": "x"}, []),
        ({"city": "Zürich"}, [4, 5]),
        ({"city": "Zu\u0308rich"}, [4, 5]),
        ({"city": {"prefix": "Zu\u0308"}}, [4, 5]),
        ({"city": {"prefix": "Zu"}}, []),
        ({"taken_at": {"gte": "2019-12-31", "lt": "2021"}}, [0, 2]),
        ({"taken_at": {"prefix": "2020"}}, [2]),
        ({"taken_at": {"prefix": ""}}, [0, 2, 5]),
        ({"tags": {"in": ["snow", 7]}}, [0, 5]),
        ({"tags": {"any": ["snow", "fox"]}}, [0, 1]),
        ({"tags": {"all": ["snow", "fox"]}}, [0]),
        ({"tags": {"not_in": ["snow", 7]}}, [1, 2, 3, 4]),
        ({"tags": {"not_in": ["snow"], "exists": True}}, [1, 4, 5]),
        ({"tags": {"exists": False}}, [2, 3]),
        ({"licence": {"exists": True}}, [0, 1]),
        ({"licence": {"in": [None, "CC0-1.0"]}}, [0, 1]),
        ({"year": {"in": [1999, "1999"], "gt": 0}}, [0]),
    ],
)
def test_a_filter_is_met_by_values_ranges_and_members(
    some: FactStore, conditions: dict[str, Any], positions: list[int]
) -> None:
    assert found(some, conditions) == positions


@pytest.mark.parametrize(
    "condition",
    [
        [1, 2],
        {"above": 3},
        {},
        {"gte": None},
        {"gte": True},
        {"gte": [1]},
        {"gte": 10**30},
        10**30,
        {"in": 3},
        {"in": "fox"},
        {"all": []},
        {"any": list(range(MAX_VALUES + 1))},
        {"in": [[1]]},
        {"not_in": [{"gte": 1}]},
        {"exists": 1},
        {"prefix": 19},
        {"prefix": "\ud800"},
        "\udfff",
        "x" * (MAX_TEXT + 1),
        {"gte": "x" * 10_000_000},
        # In form NFC three times as long.
        "\u0958" * (MAX_TEXT // 2 + 1),
        {"x" * 1_000_000: 1},
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_by_its_field(
    some: FactStore, condition: object
) -> None:
    with pytest.raises(ValueError, match=r"^year") as error:
        some.matching({"year": condition}, seconds=60)
    assert len(str(error.value)) < 200


def test_too_many_conditions_and_too_long_names_are_refused(some: FactStore) -> None:
    name = "x" * MAX_NAME
    assert found(some, {name: 1}) == []
    for conditions in (
        {f"field {number}": number for number in range(MAX_CONDITIONS + 1)},
        {f"field {number}": {"exists": True, "gte": 1, "in": [1]} for number in range(30)},
    ):
        with pytest.raises(ValueError, match="at most 64 conditions"):
            some.matching(conditions, seconds=60)
    for long in (name + "x", "y" * 10_000_000, "\u0958" * (MAX_NAME // 2 + 1)):
        with pytest.raises(ValueError, match=r"at most 128 characters") as error:
            some.matching({long: 1}, seconds=60)
        assert len(str(error.value)) < 200
    with pytest.raises(ValueError, match="half a surrogate pair"):
        some.matching({"\ud800": 1}, seconds=60)


@pytest.mark.parametrize(
    ("conditions", "warnings"),
    [
        ({"year": 1999, "tags": "nothing like it"}, []),
        ({"colour": "red"}, ["no image has a field 'colour'"]),
        ({"colour": {"exists": False}}, ["no image has a field 'colour'"]),
        ({"taken_at": {"gte": 2019}}, ["'taken_at' is a number in no image: it is a text"]),
        ({"year": True}, ["'year' is true or false in no image: it is a number or a text"]),
        ({"city": {"in": [1, 2, "Bern"]}}, ["'city' is a number in no image: it is a text"]),
    ],
)
def test_what_no_image_could_meet_is_told(
    some: FactStore, conditions: dict[str, Any], warnings: list[str]
) -> None:
    assert some.matching(conditions, seconds=60).warnings == warnings


def test_a_filter_gives_up_in_time(some: FactStore) -> None:
    with pytest.raises(SlowQueryError):
        some.matching({"year": 1999}, seconds=0)
    assert found(some, {"year": 1999}) == [0]


def test_facts_that_were_altered_are_not_believed(tmp_path: Path) -> None:
    metadata = [{"number": number} for number in range(10)]
    for statement in (
        "UPDATE facts SET low = -1",
        "UPDATE facts SET positions = zeroblob(40)",
        "UPDATE runs SET parts = replace(parts, '5', '6')",
    ):
        store(tmp_path, metadata)
        with closing(sqlite3.connect(tmp_path / "facts.sqlite")) as connection, connection:
            connection.execute(statement)
        with pytest.raises(DamagedError, match=r"facts\.sqlite is damaged"):
            opened(tmp_path, 10).matching({"number": {"gt": 4}}, seconds=60)
        (tmp_path / "facts.sqlite").unlink()


# --- against what the same conditions mean in plain Python --------------------------------------


def nfc(value: Any) -> Any:
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def members(value: Any) -> Iterator[Any]:
    """What can be asked for; null only where it is the value itself."""
    each = value if isinstance(value, list) else value.values() if isinstance(value, dict) else None
    if each is None:
        yield nfc(value)
        return
    yield from (nfc(one) for one in each if not isinstance(one, list | dict) and one is not None)


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def equal(one: Any, other: Any) -> bool:
    return kind(one) == kind(other) and bool(one == nfc(other))


def in_range(value: Any, limits: Mapping[str, Any]) -> bool:
    def holds(sign: str, limit: Any) -> bool:
        limit = nfc(limit)
        if kind(value) != kind(limit) or kind(value) not in ("number", "str"):
            return False
        return bool(
            {
                "gt": value > limit,
                "gte": value >= limit,
                "lt": value < limit,
                "lte": value <= limit,
            }[sign]
        )

    return all(holds(sign, limit) for sign, limit in limits.items())


def meets(metadata: Mapping[str, Any], name: str, condition: Any) -> bool:
    there = [value for key, value in metadata.items() if nfc(key) == nfc(name)]
    values = [member for value in there for member in members(value)]
    if not isinstance(condition, dict):
        return any(equal(value, condition) for value in values)
    limits = {sign: limit for sign, limit in condition.items() if sign[:2] in ("gt", "lt")}
    if limits and not any(in_range(value, limits) for value in values):
        return False

    def holds(operator: str, operand: Any) -> bool:
        if operator == "exists":
            return bool(there) == operand
        if operator == "prefix":
            return any(isinstance(v, str) and v.startswith(nfc(operand)) for v in values)
        one = [any(equal(value, each) for value in values) for each in operand]
        return {"in": any(one), "any": any(one), "all": all(one), "not_in": not any(one)}[operator]

    return all(holds(*each) for each in condition.items() if each[0] not in limits)


names = st.sampled_from(["a", "b", "\u00e9", "e\u0301", "$.a", 'c"d', "", "\x00", "x" * MAX_NAME])
texts = (
    st.text("ab\u00e9\u0301e\uac00\u1100\u1161\U0010ffff\x00", max_size=4)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
    | st.sampled_from(["2019", "2019-12-31", "2020-01-01T08:30:00"])
)
numbers = (
    st.integers(-3, 3)
    | st.sampled_from([0.5, -0.0, 2.0, 1e300, 2**53, 2**53 + 1, 2.0**53, 2**63 - 1, -(2**63)])
    | st.floats(allow_nan=False, allow_infinity=False)
)
scalars = st.none() | st.booleans() | numbers | texts
values = (
    scalars
    | st.lists(scalars | st.lists(scalars, max_size=1), max_size=4)
    | st.dictionaries(st.text(max_size=2), scalars, max_size=3)
)
lists = st.lists(scalars, min_size=1, max_size=3)
conditions = scalars | st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("gt", "gte", "lt", "lte"), numbers | texts),
        **dict.fromkeys(("in", "not_in", "any", "all"), lists),
        "exists": st.booleans(),
        "prefix": texts,
    },
).filter(bool)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    metadata=st.lists(st.dictionaries(names, values, max_size=4), max_size=12),
    asked=st.dictionaries(names, conditions, max_size=3),
    run=st.integers(1, 5),
)
@example(
    metadata=[{"a": "b"}, {"a": "b\U0010ffff"}, {"a": "c"}], asked={"a": {"prefix": "b"}}, run=3
)
def test_a_filter_finds_what_the_same_conditions_find_in_plain_python(
    tmp_path_factory: pytest.TempPathFactory,
    metadata: list[dict[str, Any]],
    asked: dict[str, Any],
    run: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.runs, "_RUN", run)
        facts = store(tmp_path_factory.mktemp("facts"), metadata)
    expected = [
        position
        for position, each in enumerate(metadata)
        if all(meets(each, name, condition) for name, condition in asked.items())
    ]
    assert found(facts, asked) == expected


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(), max_size=4),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=6) | st.sampled_from(["in", "gte"]), inner)
            ),
            max_leaves=5,
        ),
        max_size=3,
    )
)
def test_a_filter_never_fails_in_another_way(some: FactStore, asked: dict[str, Any]) -> None:
    try:
        positions = found(some, asked)
    except ValueError:
        return
    assert set(positions) <= set(range(len(METADATA)))


def test_numbers_that_are_too_large_are_kept_as_nearly_as_can_be(tmp_path: Path) -> None:
    facts = store(tmp_path, [{"n": 10**30}, {"n": -(10**400)}, {"n": json.loads("1e30")}])
    assert found(facts, {"n": {"gt": 2**62}}) == [0, 2]
    assert found(facts, {"n": 1e30}) == [0, 2]
    assert found(facts, {"n": {"lt": 0}}) == [1]


def test_a_long_text_is_found_by_how_it_begins(tmp_path: Path) -> None:
    long = "x" * MAX_TEXT
    facts = store(tmp_path, [{"t": long}, {"t": long + "y"}, {"t": long * 1000}, {"t": "x"}])
    assert found(facts, {"t": long}) == [0]
    assert found(facts, {"t": {"prefix": long}}) == [0, 1, 2]
    assert found(facts, {"t": {"gt": long}}) == [1, 2]
    assert (tmp_path / "facts.sqlite").stat().st_size < 100_000


def test_what_a_list_repeats_is_one_fact(tmp_path: Path) -> None:
    facts = store(tmp_path, [{"t": ["x", "y"] * 100_000}])
    assert found(facts, {"t": {"all": ["x", "y"]}}) == [0]
    assert (tmp_path / "facts.sqlite").stat().st_size < 100_000


def test_what_nobody_can_ask_for_is_not_kept(tmp_path: Path) -> None:
    store(tmp_path, [{"n" * MAX_NAME: 1, "n" * (MAX_NAME + 1): 1}])
    with closing(sqlite3.connect(tmp_path / "facts.sqlite")) as connection:
        assert connection.execute("SELECT field FROM facts").fetchall() == [("n" * MAX_NAME,)]


def test_infinitely_large_is_so_on_either_side(tmp_path: Path) -> None:
    facts = store(tmp_path, [{"n": 10**400}, {"n": -(10**400)}, {"n": 2**63}, {"n": -(2**63) - 1}])
    assert found(facts, {"n": {"gt": 1e300}}) == [0]
    assert found(facts, {"n": {"lt": -1e300}}) == [1]
    assert found(facts, {"n": {"gt": 0}}) == [0, 2]


def test_every_look_at_the_file_ends_in_time(
    some: FactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float | None] = []
    rows = Database.rows

    def noting(
        self: Database, query: str, parameters: Any = (), *, deadline: float | None = None
    ) -> Any:
        deadlines.append(deadline)
        return rows(self, query, parameters, deadline=deadline)

    monkeypatch.setattr(Database, "rows", noting)
    some.matching({"year": {"gt": 1999}, "tags": {"all": ["fox"]}, "city": None}, seconds=60)
    assert len(deadlines) >= 3 * 5 + 3
    assert None not in deadlines
    assert len(set(deadlines)) == 1


def test_each_kind_is_told_in_words(tmp_path: Path) -> None:
    values = {"number": 1, "text": "x", "boolean": True, "null": None, "empty": []}
    facts = store(tmp_path, [values, {"both": 1}, {"both": "x"}])
    for name, told in {
        "number": "a number",
        "text": "a text",
        "boolean": "true or false",
        "null": "null",
        "empty": "empty",
        "both": "a number or a text",
    }.items():
        warnings = facts.matching({name: {"in": [False, "y", None, 2]}}, seconds=60).warnings
        for kind, word in [
            ("boolean", "true or false"),
            ("text", "a text"),
            ("null", "null"),
            ("number", "a number"),
        ]:
            said = f"{name!r} is {word} in no image: it is {told}"
            there = name == kind or (name == "both" and kind in ("text", "number"))
            assert (said in warnings) != there
    nothing = facts.matching({"nothing": 1, "nothing ": 1}, seconds=60).warnings
    assert nothing == ["no image has a field 'nothing'", "no image has a field 'nothing '"]
