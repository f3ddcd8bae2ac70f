"""What a filter asks for, read and checked before anything is looked up.

A filter names fields of the images' metadata and says of each what it must be: a value to
equal, ``{"year": 1999}``, or an object of operators, all of which must hold:

- ``gt``, ``gte``, ``lt``, ``lte``: a range of numbers, or of texts (ISO dates);
- ``prefix``: how a text begins;
- ``in``, ``any``: one of these values; ``all``: each of them; ``not_in``: none of them;
- ``exists``: whether there is such a field at all.

A list or an object in the metadata meets a condition where any of its members does.  Names and
texts are compared in Unicode's form NFC, texts by code point, and a number is never a text.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

MAX_CONDITIONS = 64
MAX_NAME = 128
MAX_TEXT = 1000
MAX_VALUES = 256

# Nobody can ask for a month, which is a part of a text: models/runs.py.
Kind = Literal["number", "text", "boolean", "null", "empty", "month"]
Value = int | float | str

# A longer text compares with any that may be asked for as its beginning does.
KEPT_OF_A_TEXT = MAX_TEXT + 1
LAST_CHARACTER = "\U0010ffff"
_COMPARISONS = ("gt", "gte", "lt", "lte")
_OPERATORS = (*_COMPARISONS, "in", "not_in", "any", "all", "exists", "prefix")


@dataclass(frozen=True)
class Interval:
    """Values of one kind, from ``low`` to ``high``; None leaves an end open.

    ``above`` and ``below`` leave out the end itself.
    """

    kind: Kind
    low: Value | None = None
    high: Value | None = None
    above: bool = False
    below: bool = False

    def slice_of(self, values: Sequence[Any]) -> slice:
        """Where the values of an ascending sequence that lie in it begin and end."""
        start, stop = 0, len(values)
        if self.low is not None:
            start = (bisect_right if self.above else bisect_left)(values, self.low)
        if self.high is not None:
            stop = (bisect_left if self.below else bisect_right)(values, self.high)
        return slice(start, max(start, stop))


@dataclass(frozen=True)
class Condition:
    """One thing that is asked of one field.

    A value of the image has to lie in one of ``intervals``, or with ``every`` one in each;
    where they are None any value will do.  ``negated`` asks for all other images.
    """

    field: str
    intervals: tuple[Interval, ...] | None
    every: bool = False
    negated: bool = False


def read_filter(conditions: Mapping[str, Any]) -> list[Condition]:
    """What a filter asks for.

    Args:
        conditions: by the name of their field.

    Raises:
        ValueError: names the field, and the rule that its condition breaks.
    """
    each = (
        condition for name, asked in conditions.items() for condition in _conditions(name, asked)
    )
    read = list(islice(each, MAX_CONDITIONS + 1))
    if len(read) > MAX_CONDITIONS:
        raise ValueError(f"a filter has at most {MAX_CONDITIONS} conditions")
    return read


def _conditions(name: str, condition: Any) -> Iterator[Condition]:
    if len(name) > MAX_NAME or len(nfc(name)) > MAX_NAME:
        raise ValueError(
            f"{name[:20]!r}…: the name of a field has at most {MAX_NAME} characters, "
            f"not {len(name)}"
        )
    name = _encodable(name, repr(name))
    if not isinstance(condition, Mapping):
        yield Condition(name, (_equal(condition, name),))
        return
    unknown = [str(key) for key in condition if key not in _OPERATORS]
    if unknown or not condition:
        what = f"not {unknown[0][:20]!r}" if unknown else "and none is given"
        raise ValueError(f"{name}: one of {', '.join(_OPERATORS)} is needed, {what}")
    limits = {key: limit for key, limit in condition.items() if key in _COMPARISONS}
    if limits:
        yield Condition(name, _range(limits, name))
    for operator, operand in condition.items():
        where = f"{name}.{operator}"
        if operator == "exists":
            if not isinstance(operand, bool):
                raise ValueError(f"{where}: true or false, not {_short(operand)}")
            yield Condition(name, None, negated=not operand)
        elif operator == "prefix":
            if not isinstance(operand, str):
                raise ValueError(f"{where}: a text, not {_short(operand)}")
            yield Condition(name, (_prefix(_text(operand, where)),))
        elif operator not in _COMPARISONS:
            if not isinstance(operand, Sequence) or isinstance(operand, str):
                raise ValueError(f"{where}: a list of values, not {_short(operand)}")
            if not 1 <= len(operand) <= MAX_VALUES:
                raise ValueError(f"{where}: 1 to {MAX_VALUES} values, not {len(operand)}")
            intervals = tuple(_equal(value, where) for value in operand)
            yield Condition(name, intervals, every=operator == "all", negated=operator == "not_in")


def _equal(value: Any, where: str) -> Interval:
    if value is None:
        return Interval("null")
    if isinstance(value, bool):
        return Interval("boolean", int(value), int(value))
    kind, value = _comparable(value, where)
    return Interval(kind, value, value)


def _range(limits: Mapping[str, Any], name: str) -> tuple[Interval, ...]:
    read = {sign: _comparable(limit, f"{name}.{sign}") for sign, limit in limits.items()}
    kinds = {kind for kind, _ in read.values()}
    if len(kinds) > 1:
        return ()  # no value is a number and a text
    # Of two limits on one side the stricter, and of two equal ones that which leaves it out.
    lows = [(limit, sign == "gt") for sign, (_, limit) in read.items() if sign in ("gt", "gte")]
    highs = [(limit, sign == "lte") for sign, (_, limit) in read.items() if sign in ("lt", "lte")]
    low, above = max(lows, default=(None, False))
    high, with_end = min(highs, default=(None, True))
    return (Interval(kinds.pop(), low, high, above, not with_end),)


def _prefix(text: str) -> Interval:
    # No text that is kept has more characters than these.
    return Interval("text", text, text + LAST_CHARACTER * KEPT_OF_A_TEXT)


def _comparable(value: Any, where: str) -> tuple[Kind, Value]:
    if isinstance(value, str):
        return "text", _text(value, where)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where}: a number or a text, not {_short(value)}")
    if isinstance(value, int) and not fits(value):
        raise ValueError(f"{where}: a number is too large to compare")
    return "number", value


def _text(value: str, where: str) -> str:
    if len(value) <= MAX_TEXT:
        text = _encodable(value, where)
        if len(text) <= MAX_TEXT:
            return text
    raise ValueError(f"{where}: a text has at most {MAX_TEXT} characters, not {len(value)}")


def _encodable(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where}: a text holds half a surrogate pair") from None
    return nfc(text)


def _short(value: Any) -> str:
    kind = "an object" if isinstance(value, Mapping) else "a list"
    return kind if isinstance(value, Mapping | list | tuple) else repr(value)[:40]


def nfc(text: str) -> str:
    """A text in the form in which texts are compared."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fits(number: int) -> bool:
    """Whether SQLite holds an integer exactly."""
    return -(1 << 63) <= number < 1 << 63
