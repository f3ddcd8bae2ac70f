"""The order of the images, and what there is to see where nothing is sought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from ui.facets import date_field
from ui.question import Question
from ui.texts import Texts

# Some of everything, the same ones every time.
_SPREAD = "spread"


def orders(told: Mapping[str, Any], sort: str, texts: Texts) -> dict[str, str]:
    """The orders to choose from, as the service names them, and in words; "" is by relevance.

    Args:
        told: what ``GET /facets`` says of each field.
        sort: the order in use, which a link may have brought.
        texts: the page's words.
    """
    offered = {"": texts.by_relevance}
    if dated := date_field(told):
        offered |= {f"-{dated}": texts.newest, dated: texts.oldest}
    offered["path"] = texts.by_path
    return offered if sort in offered else offered | {sort: sort}


def in_order(question: Question, told: Mapping[str, Any]) -> Question:
    """The same question; of images that nobody seeks the newest come first, or by their paths."""
    if not question.browses or question.sort:
        return question
    return replace(question, sort=everything(told).sort)


def first_images(told: Mapping[str, Any]) -> Question:
    """What is to be seen before anything is asked: the newest images, or some of everything."""
    dated = date_field(told)
    return Question(sort=f"-{dated}" if dated else _SPREAD)


def is_mixed(question: Question) -> bool:
    """Whether images come in no order that anybody would notice."""
    return question.sort == _SPREAD


def everything(told: Mapping[str, Any]) -> Question:
    """What shows all images that there are."""
    dated = date_field(told)
    return Question(sort=f"-{dated}" if dated else "path")


def draw(question: Question, told: Mapping[str, Any], texts: Texts, *, upload: bool) -> None:
    """Draw the choice of an order; where nothing is sought, nothing can be more relevant.

    Args:
        question: what is asked.
        told: what ``GET /facets`` says of each field.
        texts: the page's words.
        upload: whether an image is asked with.
    """
    state = st.session_state
    seeks = upload or question.seeks
    sort = in_order(question, told).sort
    offered = orders(told, sort, texts)
    if not seeks:
        del offered[""]
    state.order = sort if sort in offered else None
    st.radio(
        texts.order,
        list(offered),
        key="order",
        format_func=offered.__getitem__,
        index=None,
        horizontal=True,
        on_change=_ordered,
    )


def _ordered() -> None:
    state = st.session_state
    state.changed = True
    state.ids = ()
    state.sort = state.order or ""
