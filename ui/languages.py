"""Which language the page speaks: the reader's, if there is one of the page's own."""

from __future__ import annotations

from collections.abc import Iterable

from ui.english import ENGLISH
from ui.german import GERMAN
from ui.texts import Texts

_LANGUAGES = {texts.language: texts for texts in (ENGLISH, GERMAN)}


def texts_for(preferred: Iterable[str]) -> Texts:
    """The texts in the first language of ``preferred`` (``de-AT``, ``en``) that there is."""
    for tag in preferred:
        if texts := _LANGUAGES.get(tag.split("-")[0].strip().lower()):
            return texts
    return ENGLISH


def accepted_languages(header: str) -> list[str]:
    """The languages of an ``Accept-Language`` header, the most wanted first."""
    weighed = []
    for entry in header.split(","):
        tag, _, parameter = entry.partition(";")
        try:
            weight = float(parameter.partition("=")[2]) if parameter else 1.0
        except ValueError:
            weight = 0.0
        if tag.strip() and weight > 0:
            weighed.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda entry: -entry[0])]
