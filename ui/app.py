"""The page.  Run it with ``streamlit run ui/app.py``.

What is asked lives in the session and in the address, each kept true to the other:
fields and links change the session, the session writes the address, and an address
that did not come from here (a shared link, the browser's back button) fills the fields.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# Streamlit puts the script's own folder on the path.  The package's is the first above that is none
# itself: the checkout; installed, it is where all packages are, and on the path already.
sys.path.append(
    str(
        next(
            each for each in Path(__file__).resolve().parents if not (each / "__init__.py").exists()
        )
    )
)

from ui import archive, browsing, filters, results, selection
from ui.answers import Answer, ServiceError
from ui.client import Addresses, Service
from ui.languages import accepted_languages, texts_for
from ui.question import COUNTS, MAX_TEXT, WEIGHTS, Question
from ui.renewal import is_renewed
from ui.texts import Texts

_HERE = Path(__file__).resolve().parent
# A name of Streamlit's own icons would be fetched from elsewhere.
_ICON = str(_HERE / "icon.svg")
_LOGO = f"data:image/svg+xml;base64,{base64.b64encode(Path(_ICON).read_bytes()).decode()}"
# What the service takes: models/images.py.
_IMAGE_KINDS = [
    "jpg",
    "jpeg",
    "jfif",
    "png",
    "webp",
    "gif",
    "bmp",
    "tif",
    "tiff",
    "avif",
    "heic",
    "heif",
]

_SCRIPTS = ("results.js", "view.js", "select.js", "keys.js", "grid.js", "network.js")
_STYLES = ("page.css", "select.css", "grid.css", "filters.css")
_SHOWN_KINDS = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
_SHOWN_BYTES = 512 << 10

_show = st.components.v2.component(
    "sightline_results",
    html='<div class="announcer" role="status" aria-live="polite"></div>'
    '<p class="notice offline" role="alert"></p><div class="found"></div>'
    '<div class="foot"><p class="keys"></p><div class="bar-of-chosen" role="group" '
    'aria-labelledby="sightline-chosen" hidden></div></div>'
    '<dialog class="view" aria-labelledby="sightline-view"></dialog>',
    js="".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Upload:
    """An image that the reader brought."""

    name: str
    content: bytes
    kind: str

    @property
    def digest(self) -> str:
        """Tells two images apart."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def address(self) -> str:
        """The image within an address, where it is small and every browser shows it."""
        if self.kind not in _SHOWN_KINDS or len(self.content) > _SHOWN_BYTES:
            return ""
        return f"data:{self.kind};base64,{base64.b64encode(self.content).decode()}"


@st.cache_resource
def _service() -> Service:
    return Service(Addresses.from_environment())


@st.cache_data(ttl=300, show_spinner=False)
def _info() -> dict[str, Any]:
    return _service().info()


@st.cache_data(ttl=300, show_spinner=False)
def _facets(version: str) -> dict[str, Any]:
    """What there is to filter by in a bundle; nothing where the service is in trouble."""
    try:
        return _service().facets()
    except ServiceError:
        return {}


@st.cache_data(ttl=300, show_spinner=False)
def _first_images(version: str, question: Question) -> Answer | None:
    """What is to be seen before anything is asked; an older service shows nothing unsought."""
    try:
        return _service().search(question)
    except ServiceError as error:
        if error.problem == "refused":
            return None
        raise


def main() -> None:
    """Draw the page for this run of the script."""
    texts = _texts()
    _prepare()
    st.set_page_config(page_title="Sightline", page_icon=_ICON, layout="wide")
    for name in _STYLES:
        st.html(_HERE / name)
    try:
        info: Mapping[str, Any] = _info()
        trouble = None
    except ServiceError as error:
        info, trouble = {}, error

    head = st.empty()
    with head:
        _header(info, texts)
    fields, status = st.container(), st.empty()
    # First, for it fills the field; what stood in the fields stands there meanwhile.
    with status:
        _listen(texts)
    archive.offer(_service(), texts)
    question, upload = _question(), _upload()
    if name := upload.name if upload else question.text:
        st.set_page_config(page_title=f"{name} – Sightline")
    with fields:
        place = _fields(question, texts, upload=bool(upload), speech=bool(info.get("speech")))
    version = str(info.get("version") or "")
    renewed = is_renewed(st.session_state, version)
    known = _facets(version) if info else {}
    if upload or question.seeks or question.browses:
        with status:
            renewed |= _ask(browsing.in_order(question, known), upload, version, texts)
    if renewed:
        st.session_state.renewed = texts.renewed
        _info.clear()
        with contextlib.suppress(ServiceError):
            info = _info()
            known = _facets(str(info.get("version") or ""))
        with head:
            _header(info, texts)
    st.query_params.from_dict({} if upload else question.to_params())
    st.session_state.params = st.query_params.to_dict()
    _results(question, upload, trouble, info, known, texts)
    # Last, for they are many, and what was found is waited for.  Another bundle may have others.
    with place:
        browsing.draw(question, known, texts, upload=bool(upload))
        filters.draw(known, texts)


def _texts() -> Texts:
    accepted = accepted_languages(st.context.headers.get("Accept-Language", ""))
    return texts_for([st.context.locale or "", *accepted])


def _prepare() -> None:
    """Fill the session from the address, unless the reader has just changed a field."""
    state = st.session_state
    state.setdefault("upload_number", 0)
    state.setdefault("alts", {})
    state.setdefault("serial", 0)
    state.setdefault("focus", False)
    state.setdefault("voice_number", 0)
    state.setdefault("unheard", "")
    state.setdefault("came", "")
    state.setdefault("renewed", "")
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
        state.weight, state.sort = question.weight, question.sort
        state.params = params
    state.changed = False


def _question() -> Question:
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
    )


def _upload() -> Upload | None:
    file = st.session_state.get(_upload_key())
    return Upload(file.name, file.getvalue(), file.type) if file else None


def _upload_key() -> str:
    return f"upload_{st.session_state.upload_number}"


def _voice_key() -> str:
    return f"voice_{st.session_state.voice_number}"


def _listen(texts: Texts) -> None:
    """Put what was said into the field, and make room for the next recording."""
    state = st.session_state
    recording = state.get(_voice_key())
    if recording is None:
        return
    state.voice_number += 1
    try:
        with st.spinner(texts.listening):
            said = _service().transcribe(recording.getvalue())
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


def _header(info: Mapping[str, Any], texts: Texts) -> None:
    number = info.get("images")
    told = texts.tagline
    if isinstance(number, int):
        told += " " + texts.some(texts.images, number)
    st.html(
        f'<a class="skip" href="#sightline-results">{escape(texts.skip)}</a>'
        f'<div class="masthead"><h1><img src="{_LOGO}" alt="">Sightline</h1>'
        f"<p>{escape(told)}</p></div>"
    )


def _fields(question: Question, texts: Texts, *, upload: bool, speech: bool) -> DeltaGenerator:
    """Draw the fields; what is returned is the place for the filters."""
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
                texts.speak, key=_voice_key(), label_visibility="collapsed", on_change=_changed
            )
        st.button(texts.search, type="primary", on_click=_again)
    with st.container(key="ways"):
        left, right = st.columns(2)
    with left, st.expander(texts.refine, expanded=bool(question.negative)):
        st.text_input(
            texts.negative,
            key="negative",
            max_chars=MAX_TEXT,
            placeholder=texts.negative_hint,
            on_change=_changed,
        )
        st.radio(texts.count, COUNTS, key="k", horizontal=True, on_change=_changed)
        place = st.container()
    with right, st.expander(texts.upload):
        st.file_uploader(
            texts.upload_label,
            type=_IMAGE_KINDS,
            key=_upload_key(),
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
    return place


def _ask(question: Question, upload: Upload | None, version: str, texts: Texts) -> bool:
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
            further = whole.images[len(before.images) :]
            state.came = texts.some(texts.more_came, len(further))
            state.focus = further[0].id if further else False
            answer = whole
        state.answer = answer
        state.alts |= _alts(answer, texts)
    state.asked = asked
    state.serial += 1
    return renewed


def _alts(answer: Answer, texts: Texts) -> dict[str, str]:
    return {image.id: results.alt_of(image, texts) for image in answer.images}


def _answer(question: Question, upload: Upload | None, offset: int) -> Answer:
    if upload:
        return _service().search_by_image(upload.content, question, offset)
    if question.ids:
        return _service().images(question.ids)
    return _service().search(question, offset)


def _results(
    question: Question,
    upload: Upload | None,
    trouble: ServiceError | None,
    info: Mapping[str, Any],
    known: Mapping[str, Any],
    texts: Texts,
) -> None:
    state = st.session_state
    several = texts.some(texts.chosen_images, len(question.likes))
    like = several if len(question.likes) > 1 else state.alts.get(question.like, texts.chosen)
    facts = {}
    parts = []
    said = ""
    parts += [results.notice_html(state.unheard), results.notice_html(state.renewed)]
    if upload or question.like:
        parts.append(_seed(question, upload, like, texts))
    if not upload and not question.seeks and not question.browses:
        parts.append(
            results.error_html(trouble, texts)
            if trouble
            else results.start_html(question, texts, _examples(info))
        )
        first = browsing.first_images(known)
        answer = None
        if not trouble:
            with contextlib.suppress(ServiceError):
                answer = _first_images(str(info.get("version") or ""), first)
        if answer and answer.images:
            facts = selection.facts_of(answer.images, ranked=False)
            state.alts |= _alts(answer, texts)
            told = texts.some_images if browsing.is_mixed(first) else texts.newest_images
            everything = browsing.everything(known)
            parts.append(results.first_html(answer, told, everything, texts))
    elif isinstance(state.answer, ServiceError):
        parts.append(results.error_html(state.answer, texts))
        said = " ".join(results.explain(state.answer, texts))
    else:
        answer = state.answer
        facts = selection.facts_of(answer.images, ranked=answer.ranked)
        name = upload.name if upload else None
        sort = browsing.in_order(question, known).sort
        order = browsing.orders(known, sort, texts)[sort] if sort else ""
        heading = results.summary(question, answer, like, name, texts, order=order)
        # Of further ones, that they came; the rest has been said.
        said = state.came or results.announcement(heading, answer, texts)
        parts.append(
            results.answer_html(
                answer, question, heading, texts, info=info, upload=bool(upload), order=order
            )
        )
    _show(
        key="results",
        data={
            "html": "".join(parts),
            "view": results.view_html(texts),
            "bar": selection.bar_html(texts, _service().archive_address),
            "facts": facts,
            "keys": texts.keys if facts else "",
            "archived": archive.number(),
            "said": " ".join(filter(None, [state.unheard, state.renewed, said])),
            "serial": state.serial,
            "focus": state.focus,
            "language": texts.language,
            "search": texts.search,
            "speak": texts.speak,
            "broken": texts.broken,
            "offline": texts.offline,
            "refused": texts.refused_upload,
        },
        on_action_change=_acted,
    )
    state.focus = False


def _examples(info: Mapping[str, Any]) -> list[str]:
    """Texts that find something; none are known of an older bundle."""
    told = info.get("examples")
    return [str(text)[:MAX_TEXT] for text in told] if isinstance(told, list) else []


def _seed(question: Question, upload: Upload | None, like: str, texts: Texts) -> str:
    if upload:
        told = texts.yours.format(name=upload.name)
        return results.seed_html([(upload.address, told)], told, texts.drop_upload, question)
    without = replace(question, like=None)
    drop = texts.drop_likes if len(question.likes) > 1 else texts.drop_like
    alts = st.session_state.alts
    seeds = [(_service().thumbnail(one), alts.get(one, texts.chosen)) for one in question.likes]
    return results.seed_html(seeds, like, drop, without)


def _changed() -> None:
    st.session_state.changed = True


def _typed() -> None:
    _changed()
    st.session_state.unheard = ""
    if st.session_state.text.strip():
        st.session_state.ids = ()


def _leant() -> None:
    _changed()
    st.session_state.weight = st.session_state.lean


def _uploaded() -> None:
    _changed()
    if _upload():
        # One image at a time; words, exclusion and filter stay.
        st.session_state.like, st.session_state.ids = None, ()


def _again() -> None:
    _changed()
    st.session_state.pop("asked", None)
    _info.clear()


def _drop_upload() -> None:
    """A file can be taken out of its field only by making the field anew."""
    if _upload():
        st.session_state.upload_number += 1


def _acted() -> None:
    """Follow a link or button among the results; see ``data-action`` in results.py."""
    state = st.session_state
    action = state.results.action
    if not isinstance(action, dict):
        return
    _changed()
    state.focus, state.unheard = True, ""
    # Where nothing is left to ask, too, there is something to look at.
    state.serial += 1
    value = str(action.get("value", ""))
    match action.get("name"):
        case "ask":
            state.text = value
            _drop_upload()
        case "like":
            _drop_upload()
            state.like, state.ids = value, ()
        case "filter":
            filters.narrow(state.filter | json.loads(value))
        case "keep":
            filters.narrow(json.loads(value))
        case "clear":
            filters.narrow({})
            if not _upload() and not _question().seeks:
                state.sort = ""
        case "order":
            state.sort = value
        case "forget":
            _drop_upload()
            state.like = None
        case "again":
            _again()
        case "zip":
            state.zip_wanted, state.focus = value, False
        case "more":
            state.more, state.focus = True, False


main()
