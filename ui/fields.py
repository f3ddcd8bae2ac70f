"""The fields in which a question is put."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import known
from ui.answers import ServiceError
from ui.question import COUNTS, MAX_TEXT, WEIGHTS, Question
from ui.session import changed
from ui.texts import Texts
from ui.uploads import IMAGE_KINDS, brought, upload_key


def listen(texts: Texts) -> None:
    """Put what was said into the field, and make room for the next recording."""
    state = st.session_state
    recording = state.get(_voice_key())
    if recording is None:
        return
    state.voice_number += 1
    try:
        with st.spinner(texts.listening):
            said = known.service().transcribe(recording.getvalue())
    except ServiceError as error:
        if error.field == "audio":
            state.unheard = texts.not_a_recording
        else:
            state.unheard = texts.speech_trouble
    else:
        # Whisper writes sentences; what is searched for is none.
        text = said.strip().rstrip(".!?…")[:MAX_TEXT]
        state.unheard = "" if text else texts.unheard
        if text:
            state.text = text
    # Said anew even where it is what was said before.
    state.serial += 1


def draw(question: Question, texts: Texts, *, upload: bool, speech: bool) -> DeltaGenerator | None:
    """Draw the fields; what is returned is the place for the filters, None while that is folded."""
    state = st.session_state
    with st.container(key="search", horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            texts.query_more if state.like or upload else texts.query,
            key="text",
            type="search",
            max_chars=MAX_TEXT,
            placeholder=texts.query_hint,
            on_change=_typed,
        )
        if speech:
            st.audio_input(
                texts.speak, key=_voice_key(), label_visibility="collapsed", on_change=changed
            )
        st.button(texts.search, type="primary", on_click=again)
    with st.container(key="ways"):
        left, right = st.columns(2)
    with left:
        # Its filters are many: a browser takes as long for them as for twelve images.
        refine = st.expander(texts.refine, key="refine", on_change="rerun")
    with refine:
        st.text_input(
            texts.negative,
            key="negative",
            max_chars=MAX_TEXT,
            placeholder=texts.negative_hint,
            on_change=changed,
        )
        st.radio(texts.count, COUNTS, key="k", horizontal=True, on_change=changed)
        # What is only looked through or looked up, the service does not fold.
        unfolded = not upload and bool(question.browses or question.ids)
        st.toggle(texts.fold, key="fold", disabled=unfolded, on_change=changed)
        place = st.container()
    with right, st.expander(texts.upload):
        st.file_uploader(
            texts.upload_label,
            type=IMAGE_KINDS,
            key=upload_key(),
            help=None,
            on_change=_uploaded,
        )
        st.caption(f"{texts.upload_hint} {texts.upload_with}")
    if question.text and (question.like or upload):
        state.lean = state.weight
        st.select_slider(
            texts.lean,
            WEIGHTS,
            key="lean",
            format_func=dict(zip(WEIGHTS, texts.leans, strict=True)).__getitem__,
            on_change=_leant,
        )
    return place if refine.open else None


def again() -> None:
    """Ask the same once more, the service about itself as well."""
    changed()
    st.session_state.pop("asked", None)
    known.info.clear()


def _voice_key() -> str:
    return f"voice_{st.session_state.voice_number}"


def _typed() -> None:
    changed()
    st.session_state.unheard = ""
    if st.session_state.text.strip():
        st.session_state.ids = ()


def _leant() -> None:
    changed()
    st.session_state.weight = st.session_state.lean


def _uploaded() -> None:
    changed()
    if brought():
        # One image at a time; words, exclusion and filter stay.
        st.session_state.like, st.session_state.ids = None, ()
