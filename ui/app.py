"""The page.  Run it with ``streamlit run ui/app.py``.

What is asked lives in the session and in the address, each kept true to the other:
fields and links change the session, the session writes the address, and an address
that did not come from here (a shared link, the browser's back button) fills the fields.
"""

from __future__ import annotations

import base64
import contextlib
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

# itself: the checkout; installed, it is where all packages are, and on the path already.
sys.path.append(
    str(
        next(
            each for each in Path(__file__).resolve().parents if not (each / "__init__.py").exists()
        )
    )
)

from ui import archive, browsing, fields, filters, known, shown
from ui.answers import ServiceError
from ui.asking import ask
from ui.languages import accepted_languages, texts_for
from ui.renewal import is_renewed
from ui.session import asked, prepare
from ui.texts import Texts
from ui.uploads import brought

_HERE = Path(__file__).resolve().parent
# A name of Streamlit's own icons would be fetched from elsewhere.
_ICON = str(_HERE / "icon.svg")
_LOGO = f"data:image/svg+xml;base64,{base64.b64encode(Path(_ICON).read_bytes()).decode()}"
_STYLES = ("page.css", "select.css", "grid.css", "filters.css")


def main() -> None:
    """Draw the page for this run of the script."""
    texts = _texts()
    prepare()
    st.set_page_config(page_title="Sightline", page_icon=_ICON, layout="wide")
    for name in _STYLES:
        st.html(_HERE / name)
    try:
        info: Mapping[str, Any] = known.info()
        trouble = None
    except ServiceError as error:
        info, trouble = {}, error

    head = st.empty()
    with head:
        _header(info, texts)
    place, status = st.container(), st.empty()
    # First, for it fills the field; what stood in the fields stands there meanwhile.
    with status:
        fields.listen(texts)
    archive.offer(known.service(), texts)
    question, upload = asked(), brought()
    if name := upload.name if upload else question.text:
        st.set_page_config(page_title=f"{name} – Sightline")
    with place:
        below = fields.draw(question, texts, upload=bool(upload), speech=bool(info.get("speech")))
    version = str(info.get("version") or "")
    renewed = is_renewed(st.session_state, version)
    facets = known.facets(version) if info else {}
    if upload or question.seeks or question.browses:
        with status:
            renewed |= ask(browsing.in_order(question, facets), upload, version, texts)
    if renewed:
        st.session_state.renewed = texts.renewed
        known.info.clear()
        with contextlib.suppress(ServiceError):
            info = known.info()
            facets = known.facets(str(info.get("version") or ""))
        with head:
            _header(info, texts)
    st.query_params.from_dict({} if upload else question.to_params())
    st.session_state.params = st.query_params.to_dict()
    shown.draw(question, upload, trouble, info, facets, texts)
    # Last, for they are many, and what was found is waited for.  Another bundle may have others.
    if below is None:
        return
    with below:
        browsing.draw(question, facets, texts, upload=bool(upload))
        filters.draw(facets, texts)


def _texts() -> Texts:
    accepted = accepted_languages(st.context.headers.get("Accept-Language", ""))
    return texts_for([st.context.locale or "", *accepted])


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


main()
