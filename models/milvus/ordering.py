"""Images in Milvus in an order of their own: what models/order.py does by SQLite.

Milvus puts nothing into order, so a page is found by counting.  Of many images a thousand, taken
by chance, are looked at, and by how many come before one of these, the page is narrowed down to
some thousand, which are sorted here.  Each step leaves some thousandths: of a hundred million two
steps of some twenty counts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from models.database import SlowQueryError
from models.filters import Kind, nfc
from models.milvus import expressions
from models.milvus.questions import Deadline, Questions, Row
from models.order import Ordered

# So many are fetched and sorted; of more a part is looked at first.
_FEW = 4096
_LOOKED_AT = 1000
_KINDS: tuple[Kind, ...] = ("number", "text")

Key = int | float | str


@dataclass(frozen=True)
class _Part:
    """Some of the images, and what they are sorted by: a key, and within it by position.

    ``compared`` is the key in expressions, None where they go by their position alone; ``field``
    the one that holds it, and ``key_of`` takes it out of a row.
    """

    expression: str
    compared: str | None
    field: str
    key_of: Callable[[Row], Key]
    backwards: bool = False

    def place_of(self, row: Row) -> tuple[Key, int]:
        """What a row is sorted by."""
        return self.key_of(row), row["position"]

    def below(self, place: tuple[Key, int]) -> str:
        """Those that come before a place."""
        key, position = place
        if self.compared is None:
            return f"(position < {position})"
        literal = f'"{key}"' if isinstance(key, str) else repr(key)
        same = f"({self.compared} == {literal} and position < {position})"
        return f"({self.compared} < {literal} or {same})"


def page(questions: Questions, by: str, kept: str, start: int, stop: int) -> Ordered:
    """The images in some places of an order.

    Args:
        questions: asks the collection.
        by: the order: ``path``, ``spread`` or a field, with a minus before it backwards.
        kept: the expression of those that are in it.
        start: the first place, counted from 0.
        stop: the place behind the last.

    Raises:
        SlowQueryError: it takes too long.
    """
    backwards = by.startswith("-")
    name = by.removeprefix("-")
    warnings: tuple[str, ...] = ()
    with questions.deadline() as deadline:
        if name in ("path", "spread"):
            field = "path" if name == "path" else "id"
            parts = [_Part(kept, field, field, lambda row: str(row[field]), backwards)]
        else:
            parts = _by_field(questions, nfc(name), kept, backwards)
            if len(parts) == 1:
                warnings = (f"no image has a field {nfc(name)!r} that could be sorted by",)
        found: list[int] = []
        for part in parts:
            if start >= stop:
                break
            deadline.check()
            count = questions.count(part.expression)
            some = slice(min(start, count), min(stop, count))
            if some.start < some.stop:
                found += _places(questions, part, count, some, deadline)
            start, stop = max(start - count, 0), stop - count
    return Ordered(np.array(found, dtype=np.int64), warnings)


def _by_field(questions: Questions, name: str, kept: str, backwards: bool) -> list[_Part]:
    """Numbers, then texts, each by the least value that an image has; then those without."""
    parts: list[_Part] = []
    rest = kept
    for kind in _KINDS:
        fact = expressions.of_kind(name, kind)
        if questions.is_there(fact):
            has = expressions.has(fact)
            compared = expressions.path_of(name, kind)
            key_of = partial(_value, name=name, kind=kind)
            parts.append(_Part(f"({rest}) and {has}", compared, "values", key_of, backwards))
            rest = f"({rest}) and not {has}"
    if backwards:
        parts.reverse()
    return [*parts, _Part(rest, None, "position", lambda row: int(row["position"]))]


def _value(row: Row, *, name: str, kind: Kind) -> Key:
    return expressions.value_in(row["values"], name, kind)


def _places(
    questions: Questions, part: _Part, count: int, some: slice, deadline: Deadline
) -> list[int]:
    """The positions in some places of a part that has ``count`` images."""
    start, stop = some.start, some.stop
    if part.backwards:
        start, stop = count - stop, count - start
    within = part.expression
    while count > _FEW:
        within, before, left = _narrowed(
            questions, part, within, count, slice(start, stop), deadline
        )
        start, stop, count = start - before, stop - before, left
    deadline.check()
    rows = questions.rows(within, ["position", part.field])
    ordered = [row["position"] for row in sorted(rows, key=part.place_of)[start:stop]]
    return ordered[::-1] if part.backwards else ordered


def _narrowed(
    questions: Questions,
    part: _Part,
    within: str,
    count: int,
    some: slice,
    deadline: Deadline,
) -> tuple[str, int, int]:
    """Fewer images among which those in some places still are: their expression, how many of
    ``count`` come before them, and how many they are."""
    # Checksums know neither an order nor a filter, so those with a low one are spread over all.
    low_ones = f"({within}) and checksum < {(_LOOKED_AT << 63) // count}"
    looked_at = questions.rows(low_ones, ["position", part.field], _FEW)
    places = sorted(map(part.place_of, looked_at))

    @cache
    def before(place: int) -> int:
        deadline.check()
        return questions.count(f"({within}) and {part.below(places[place])}")

    first = bisect_right(range(len(places)), some.start, key=before) - 1
    last = bisect_left(range(len(places)), some.stop, key=before)
    limits, low, high = [f"({within})"], 0, count
    if first >= 0:
        low = before(first)
        limits.append(f"not {part.below(places[first])}")
    if last < len(places):
        high = before(last)
        limits.append(part.below(places[last]))
    if high - low == count:
        raise SlowQueryError("those that were looked at do not tell where the page is")
    return " and ".join(limits), low, high - low
