"""The controls of the filter: which images there are to choose from, before anybody searches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from ui.conditions import describe_filter
from ui.facets import Choice, Facet, between_years, facets, is_range, years_of
from ui.texts import Texts


def draw(told: Mapping[str, Any], texts: Texts) -> None:
    """Draw a control for each field that is worth a filter, and for those in use.

    Args:
        told: what ``GET /facets`` says of each field.
        texts: the page's words.
    """
    offered = facets(told, st.session_state.filter)
    half = (len(offered) + 1) // 2
    for column, part in zip(st.columns(2), (offered[:half], offered[half:]), strict=True):
        with column:
            for facet in part:
                _CONTROLS[facet.control](facet, texts)


def narrow(conditions: Mapping[str, Any]) -> None:
    """Filter by these from now on."""
    state = st.session_state
    state.changed = True
    state.ids = ()
    state.filter = dict(conditions)


def _set(name: str, condition: Any) -> None:
    """Filter a field by a condition, None for by none."""
    there = st.session_state.filter
    if condition is None:
        narrow({other: value for other, value in there.items() if other != name})
    else:
        narrow(there | {name: condition})


def _given(facet: Facet, _texts: Texts) -> None:
    key = f"facet_{facet.name}"
    st.session_state[key] = True
    st.checkbox(
        describe_filter({facet.name: st.session_state.filter[facet.name]}),
        key=key,
        on_change=_set,
        args=(facet.name, None),
    )


def _choice(facet: Facet, texts: Texts) -> None:
    state = st.session_state
    key, excluded = f"facet_{facet.name}", f"facet_not_{facet.name}"
    chosen = Choice.of(state.filter.get(facet.name)) or Choice()
    # Written as JSON: Streamlit takes True and 1 for the same.
    labels = {json.dumps(value): _label(value, count) for value, count in facet.values}
    state[key] = list(dict.fromkeys(json.dumps(value) for value in chosen.values))
    state[excluded] = chosen.excluded
    st.multiselect(
        facet.name,
        list(labels),
        key=key,
        format_func=labels.__getitem__,
        placeholder=texts.any,
        on_change=_chosen,
        args=(facet.name, key, excluded),
    )
    if chosen.values:
        st.checkbox(
            texts.all_but.format(field=facet.name),
            key=excluded,
            on_change=_chosen,
            args=(facet.name, key, excluded),
        )


def _chosen(name: str, key: str, excluded: str) -> None:
    state = st.session_state
    values = tuple(json.loads(written) for written in state[key])
    _set(name, Choice(values, bool(state.get(excluded))).condition)


def _range(facet: Facet, texts: Texts) -> None:
    condition = st.session_state.filter.get(facet.name)
    bounds = condition if is_range(condition) else {}
    whole = facet.is_whole(bounds)
    _bars(facet, texts, bounds.get("gte"), bounds.get("lte"))
    for column, (bound, label, end) in zip(
        st.columns(2),
        (("gte", texts.at_least, facet.least), ("lte", texts.at_most, facet.most)),
        strict=True,
    ):
        key = f"facet_{bound}_{facet.name}"
        value = bounds.get(bound)
        st.session_state[key] = value if value is None else int(value) if whole else float(value)
        column.number_input(
            label.format(field=facet.name),
            key=key,
            value=None,
            step=1 if whole else None,
            placeholder="" if end is None else f"{end:.15g}",
            on_change=_bounded,
            args=(facet.name, bound, key),
        )


def _bounded(name: str, bound: str, key: str) -> None:
    state = st.session_state
    condition = state.filter.get(name)
    bounds = dict(condition) if isinstance(condition, dict) else {}
    bounds.pop(bound, None)
    if state[key] is not None:
        bounds[bound] = state[key]
    _set(name, bounds or None)


def _years(facet: Facet, texts: Texts) -> None:
    state = st.session_state
    ends = years_of(state.filter.get(facet.name)) or (None, None)
    counts: dict[int, int | None] = {int(str(year)): count for year, count in facet.values}
    # A link may name years of which there is none.
    years = sorted({*counts, *(year for year in ends if year is not None)})
    keys = (f"facet_first_{facet.name}", f"facet_last_{facet.name}")
    _bars(facet, texts, *ends)
    for column, key, label, value in zip(
        st.columns(2), keys, (texts.at_least, texts.at_most), ends, strict=True
    ):
        state[key] = value
        column.selectbox(
            label.format(field=facet.name),
            years,
            key=key,
            index=None,
            format_func=lambda year: _label(year, counts.get(year)),
            placeholder=texts.any,
            on_change=_from_to,
            args=(facet.name, keys),
        )


def _from_to(name: str, keys: tuple[str, str]) -> None:
    first, last = (st.session_state[key] for key in keys)
    _set(name, between_years(first, last))


def _bars(facet: Facet, texts: Texts, least: float | None, most: float | None) -> None:
    if len(facet.bars) > 1:
        st.html(bars_html(facet.name, facet.bars, texts, least, most))


def bars_html(
    name: str,
    bars: Sequence[tuple[str, int]],
    texts: Texts,
    least: float | None = None,
    most: float | None = None,
) -> str:
    """How many images lie where, as bars; those between two ends stand out.

    Args:
        name: the field.
        bars: labels, each a number or two with a dash between them, and counts.
        texts: the page's words, for those who hear the bars.
        least: where what is chosen begins, None for at the first.
        most: where it ends, None for at the last.
    """
    first, last = bars[0][0], bars[-1][0]
    highest, top = max((count, label) for label, count in bars)
    told = texts.bars.format(
        field=name, first=first, last=last, top=top, images=_images(texts, highest)
    )
    spans = []
    for label, count in bars:
        # What a bar goes up to is not in it any more.
        low, *behind = map(float, label.split(" – "))
        below = least is not None and (behind[0] <= least if behind else low < least)
        out = below or (most is not None and low > most)
        height = round(100 * count / highest) if highest else 0
        title = escape(f"{label}: {_images(texts, count)}")
        spans.append(
            f'<span{" class=out" if out else ""} title="{title}" style="height:{height}%"></span>'
        )
    # It has been read out with the bars.
    ends = f'<p class="ends" aria-hidden="true"><span>{escape(first)}</span>{escape(last)}</p>'
    return f'<div class="bars" role="img" aria-label="{escape(told)}">{"".join(spans)}</div>{ends}'


def _images(texts: Texts, number: int) -> str:
    return texts.some(texts.found, number)


def _label(value: object, count: int | None) -> str:
    told = value if isinstance(value, str) else json.dumps(value)
    return told if count is None else f"{told} ({count})"


_CONTROLS = {"given": _given, "choice": _choice, "range": _range, "years": _years}
