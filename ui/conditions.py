"""A filter in words, whole and a condition at a time, so that each can be taken away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from html import escape
from typing import Any

from ui.facets import Choice, years_of
from ui.links import link_html
from ui.names import field_name
from ui.question import Question
from ui.texts import Texts

_SIGNS = {"gte": "≥", "gt": ">", "lte": "≤", "lt": "<", "not_in": "≠", "in": "=", "any": "="}


def describe_filter(conditions: Mapping[str, Any], texts: Texts) -> str:
    """A filter in few signs: ``Licence = CC0, Year ≥ 1990``."""
    return ", ".join(_of_field(name, condition, texts) for name, condition in conditions.items())


def each_condition(
    conditions: Mapping[str, Any], texts: Texts
) -> Iterable[tuple[str, dict[str, Any]]]:
    """The conditions of a filter in few signs, and for each the filter without it.

    Of several values of a field each is one of them.
    """
    for name, condition in conditions.items():
        without = {other: value for other, value in conditions.items() if other != name}
        choice = Choice.of(condition)
        if choice is not None:
            sign = _sign(choice)
            for place, value in enumerate(choice.values):
                rest = (*choice.values[:place], *choice.values[place + 1 :])
                left = replace(choice, values=rest).condition
                # In its place, that the others do not move.
                kept = {**conditions, name: left} if rest else without
                yield f"{field_name(name, texts)} {sign} {_plain(value)}", dict(kept)
        else:
            yield _of_field(name, condition, texts), without


def chips_html(question: Question, texts: Texts, *, upload: bool, order: str = "") -> str:
    """The filter that is in use: each condition can be taken away, and all of them at once.

    Where nothing is sought, the order that was asked for can be taken away as well; where
    something is, that what looks alike is shown once.

    Args:
        question: what is asked.
        texts: the page's words.
        upload: whether an image is asked with, which no address can hold.
        order: the order in words.
    """
    ordered = bool(question.sort and question.browses and not upload)
    folded = question.folds(upload)
    if question.ids or not (question.filter or ordered or folded):
        return ""

    def chip(told: str, kept: dict[str, Any]) -> str:
        label = texts.take_away.format(filter=told)
        leads_to = None if upload else replace(question, filter=kept)
        written = json.dumps(kept, ensure_ascii=False)
        link = link_html(leads_to, "keep", written, f"{told} ×", label=label, css="pill")
        return f'<li dir="auto">{link}</li>'

    each = list(each_condition(question.filter, texts))
    chips = "".join(chip(told, kept) for told, kept in each)
    if ordered:
        leads_to, label = replace(question, sort=""), texts.take_away.format(filter=order)
        link = link_html(leads_to, "order", "", f"{order} ×", label=label, css="pill")
        chips += f'<li dir="auto">{link}</li>'
    if folded:
        unfolded, label = replace(question, fold=False), texts.take_away.format(filter=texts.folded)
        link = link_html(
            *(None if upload else unfolded, "unfold", "", f"{texts.folded} ×"),
            label=label,
            css="pill",
        )
        chips += f"<li>{link}</li>"
    if len(each) + ordered + folded > 1:
        kept_order = "" if ordered else question.sort
        nothing = None if upload else replace(question, filter={}, sort=kept_order, fold=False)
        chips += f"<li>{link_html(nothing, 'clear', '', texts.clear_all, css='clear')}</li>"
    # Safari forgets that an unmarked list is a list.
    return f'<ul class="chips" role="list" aria-label="{escape(texts.filters)}">{chips}</ul>'


def _of_field(field: str, condition: Any, texts: Texts) -> str:
    name = field_name(field, texts)
    if choice := Choice.of(condition):
        return f"{name} {_sign(choice)} {_plain(list(choice.values))}"
    if not isinstance(condition, dict):
        return f"{name} = {_plain(condition)}"
    years = years_of(condition)
    if years and None not in years:
        first, last = years
        return f"{name} = {first}" if first == last else f"{name} = {first}–{last}"
    return ", ".join(
        f"{name} {_SIGNS.get(operator, operator)} {_plain(bound)}"
        for operator, bound in condition.items()
    )


def _sign(choice: Choice) -> str:
    return "≠" if choice.excluded else "="


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " / ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
