"""Asking the service what the reader asks, once."""

from __future__ import annotations

import streamlit as st

from ui import known
from ui.answers import MOST_HELD, Answer, ServiceError
from ui.cards import alt_of
from ui.question import Question
from ui.renewal import is_renewed
from ui.texts import Texts
from ui.uploads import Upload

# Of one search after the other.
_MOST_REMEMBERED = 2 * MOST_HELD


def ask(question: Question, upload: Upload | None, version: str, texts: Texts) -> bool:
    """Ask the service, unless this bundle has just been asked this; a failure is asked anew.

    Returns:
        Whether another bundle has answered than before.
    """
    state = st.session_state
    asked = (question, upload.digest if upload else None)
    before = state.get("answer") if state.get("asked") == asked else None
    if isinstance(before, Answer) and version and before.version not in ("", version):
        before = None
    more = isinstance(before, Answer) and state.pop("more", False)
    if isinstance(before, Answer) and not more:
        return False
    offset = (before.next or 0) if isinstance(before, Answer) else 0
    renewed = False
    state.renewed = ""
    try:
        with st.spinner(texts.searching):
            answer = _answer(question, upload, offset)
            renewed = is_renewed(state, answer.version)
            if renewed and isinstance(before, Answer):
                # Pages of two bundles make no whole.
                before, answer = None, _answer(question, upload, 0)
    except ServiceError as error:
        state.answer = error
    else:
        state.came = ""
        if isinstance(before, Answer):
            whole = before.with_more(answer)
            further = (
                whole.images[before.shown - whole.shown :] if whole.shown > before.shown else ()
            )
            state.since = before.shown
            state.came = texts.some(texts.more_came, len(further))
            state.focus = further[0].id if further else False
            answer = whole
        else:
            state.since, state.search = 0, state.search + 1
        state.answer = answer
        remember(answer, texts)
    state.asked = asked
    state.serial += 1
    return renewed


def remember(answer: Answer, texts: Texts) -> None:
    """Keep what each image shows, to say so where others are to resemble it."""
    known_ones = st.session_state.alts | {image.id: alt_of(image, texts) for image in answer.images}
    st.session_state.alts = dict(list(known_ones.items())[-_MOST_REMEMBERED:])


def _answer(question: Question, upload: Upload | None, offset: int) -> Answer:
    if upload:
        return known.service().search_by_image(upload.content, question, offset)
    if question.ids:
        return known.service().images(question.ids)
    return known.service().search(question, offset)
