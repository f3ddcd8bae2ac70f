"""Texts, dates and numbers as the makers of images' files write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from models.filters import nfc

_LONGEST = 10_000
# Python takes them for no letters; Persian words, families of emoji and some flags need them.
_JOINERS = "\u200c\u200d"
_TAGS = [chr(code) for code in range(0xE0020, 0xE0080)]
_DATE = re.compile(
    r"(?P<year>\d{4})"
    r"(?:[-:./]?(?P<month>\d\d)"
    r"(?:[-:./]?(?P<day>\d\d)"
    r"(?:[T ]?(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d))?)?)?)?"
    # A fraction of a second, a zone.
    r"(?:[.,]\d+)?\s*(?:Z|[+-]\d\d:?\d\d)?"
)


def text(value: object) -> str | None:
    """One line of printable text, a letter and its accent one; None where there is none."""
    if isinstance(value, bytes):
        value = decoded(value)
    if not isinstance(value, str):
        return None
    # What is longer is cut before it is looked at letter by letter.
    line = one_line(value[: 2 * _LONGEST])[:_LONGEST]
    return nfc(line.encode("utf-8", "replace").decode()) or None


def one_line(value: str) -> str:
    """Text with single blanks for all that is no letter, and without what would not show."""
    return " ".join("".join(c if _shows(c) else " " for c in value).split())


def _shows(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or character in _TAGS


def texts(values: Iterable[object]) -> list[str]:
    """The texts among values, each once, in their order."""
    return list(dict.fromkeys(one for value in values if (one := text(value)) is not None))


def decoded(value: bytes) -> str:
    """Bytes that are UTF-8, or else Windows' Western letters, up to a zero."""
    value = value.partition(b"\0")[0]
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")


def date(value: object) -> str | None:
    """As much of ``2019-07-04T12:30:00`` as a date says; None where it says no year.

    Takes what EXIF (``2019:07:04 12:30:00``), IPTC (``20190704``, with ``00`` for what is not
    known) and XMP (ISO 8601) write.  The zone is left out: what counts is the clock where the
    image was taken, and so dates compare as texts.
    """
    line = text(value)
    match = None if line is None else _DATE.fullmatch(line)
    if match is None:
        return None
    year, month, day = match["year"], match["month"], match["day"]
    if year == "0000":
        return None
    if month is None or month == "00":
        return year
    if day is None or day == "00":
        return f"{year}-{month}" if 1 <= int(month) <= 12 else None
    moment = f"{year}-{month}-{day}"
    if match["hour"] is not None:
        moment += f"T{match['hour']}:{match['minute']}:{match['second'] or '00'}"
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return None
    return moment


def number(value: object) -> int | float | None:
    """A number that is written as one, or as a fraction (``1/250``); None for anything else."""
    try:
        if isinstance(value, str):
            above, _, below = value.partition("/")
            read = float(above) / float(below or 1)
        else:
            read = float(value)  # type: ignore[arg-type]  # anything else is a TypeError
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not abs(read) < 1e15:
        return None  # and no NaN
    return int(read) if read.is_integer() else round(read, 9)


def rating(value: object) -> int | None:
    """Stars from 0 to 5, or -1 for what was rejected."""
    stars = number(value)
    return stars if isinstance(stars, int) and -1 <= stars <= 5 else None


def camera(make: object, model: object) -> str | None:
    """A camera's name with its maker's, once."""
    make, model = text(make), text(model)
    if make is None or model is None:
        return model or make
    first = make.split()[0]
    return model if model.lower().startswith(first.lower()) else f"{make} {model}"


def degrees(parts: Sequence[object], side: str) -> float | None:
    """An angle on the globe, south and west negative; None where it is none.

    Args:
        parts: degrees, minutes and seconds, or fewer of them.
        side: N, S, E or W.
    """
    most = {"N": 90, "S": 90, "E": 180, "W": 180}.get(side.upper())
    numbers = [number(part) for part in parts[:3]]
    if most is None or not numbers:
        return None
    angle = 0.0
    for place, one in enumerate(numbers):
        if one is None:
            return None
        angle += one / 60**place
    if not 0 <= angle <= most:
        return None
    return round(-angle if side.upper() in ("S", "W") else angle, 7)


def kept(fields: dict[str, object]) -> dict[str, object]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != []}
