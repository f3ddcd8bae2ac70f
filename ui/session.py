"""What is asked, as the session keeps it: it follows fields, links and strange addresses."""

from __future__ import annotations

import streamlit as st

from ui.question import Question


def prepare() -> None:
    """Fill the session from the address, unless the reader has just changed a field."""
    state = st.session_state
    state.setdefault("upload_number", 0)
    state.setdefault("alts", {})
    state.setdefault("serial", 0)
    state.setdefault("search", 0)
    state.setdefault("since", 0)
    state.setdefault("focus", False)
    state.setdefault("voice_number", 0)
    state.setdefault("unheard", "")
    state.setdefault("came", "")
    state.setdefault("renewed", "")
    state.setdefault("refine", False)
    params = st.query_params.to_dict()
    # Between a change and the address that follows it, the browser still sends the old one.
    if "params" not in state or (params != state.params and not state.pop("changed", False)):
        question = Question.from_params(params)
        if "params" in state:
            # By the browser's back button, say, which leaves the focus nowhere.
            state.focus, state.serial = True, state.serial + 1
        state.text, state.negative, state.k = question.text, question.negative, question.k
        state.like, state.filter = question.like, dict(question.filter)
        state.ids = question.ids
        if question.negative:
            state.refine = True
        state.weight, state.sort = question.weight, question.sort
        state.fold = question.fold
        state.params = params
    state.changed = False


def asked() -> Question:
    """The question that the session holds."""
    state = st.session_state
    return Question(
        text=state.text.strip(),
        negative=state.negative.strip(),
        like=state.like,
        filter=state.filter,
        k=state.k,
        ids=state.ids,
        weight=state.weight,
        sort=state.sort,
        fold=state.fold,
    )


def changed() -> None:
    """The reader has changed something that the address does not say yet."""
    st.session_state.changed = True
