"""A ZIP of originals for a browser that may not fetch it itself, since it has no key.

The page fetches it when it is asked to, and offers it in a button until it is saved.
"""

from __future__ import annotations

import streamlit as st

from ui.answers import ServiceError
from ui.client import Service
from ui.texts import Texts


def offer(service: Service, texts: Texts) -> None:
    """Fetch what was asked for, and draw the button that saves it.

    What was asked for are ids with commas between them, in the session's ``zip_wanted``; what went
    wrong is said by ``unheard``.
    """
    state = st.session_state
    if wanted := state.pop("zip_wanted", None):
        ids = wanted.split(",")
        try:
            with st.spinner(texts.zip_coming):
                content = service.archive(ids)
        except ServiceError:
            state.unheard = texts.zip_trouble
            _forget()
        else:
            state.archive = (texts.some(texts.zip_ready, len(ids)), content)
            state.archive_number = number() + 1
        # Said anew, whatever was said before.
        state.serial += 1
    if "archive" in state:
        label, content = state.archive
        with st.container(key="archive"):
            st.download_button(
                label, content, "pictures.zip", "application/zip", on_click=_forget, type="primary"
            )


def number() -> int:
    """How many archives this reader was offered."""
    return int(st.session_state.get("archive_number", 0))


def _forget() -> None:
    st.session_state.pop("archive", None)
