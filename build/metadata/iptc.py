"""IPTC-IIM: what newsrooms wrote into images before XMP, and many still do.

Format: IPTC-NAA Information Interchange Model 4.2, chapters 5 (record 1) and 6 (record 2).
"""

from __future__ import annotations

from collections.abc import Mapping

from build.metadata import Fields
from build.metadata.values import date, decoded, kept, text, texts

Records = Mapping[tuple[int, int], bytes | list[bytes]]

# By their numbers in record 2.
_TITLE, _KEYWORDS, _DATE, _TIME, _CREATOR = 5, 25, 55, 60, 80
_CITY, _LOCATION, _STATE, _COUNTRY = 90, 92, 95, 101
_HEADLINE, _CREDIT, _COPYRIGHT, _CAPTION = 105, 110, 116, 120


def iptc_fields(records: Records) -> Fields:
    """What is said in IPTC-IIM that images are sought by."""

    def all_of(number: int) -> list[str]:
        value = records.get((2, number), [])
        return texts(decoded(each) for each in (value if isinstance(value, list) else [value]))

    def one_of(number: int) -> str | None:
        return next(iter(all_of(number)), None)

    return kept(
        {
            "caption": one_of(_CAPTION),
            "headline": one_of(_HEADLINE),
            "title": one_of(_TITLE),
            "keywords": all_of(_KEYWORDS),
            "creator": all_of(_CREATOR),
            "credit": one_of(_CREDIT),
            "copyright": one_of(_COPYRIGHT),
            "location": one_of(_LOCATION),
            "city": one_of(_CITY),
            "state": one_of(_STATE),
            "country": one_of(_COUNTRY),
            "taken_at": _moment(one_of(_DATE), one_of(_TIME)),
        }
    )


def _moment(day: str | None, time: str | None) -> str | None:
    return date(f"{day}T{time}") or date(text(day)) if time else date(day)
