"""What was found, shown: the component below the fields, and what its links and buttons do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from ui import archive, browsing, filters, known, results, selection
from ui.answers import ServiceError
from ui.asking import remember
from ui.fields import again
from ui.question import MAX_TEXT, Question
from ui.session import asked, changed
from ui.summary import announcement, summary
from ui.texts import Texts
from ui.uploads import Upload, brought, drop_upload
from ui.view import view_html

_HERE = Path(__file__).resolve().parent
_SCRIPTS = ("results.js", "pages.js", "view.js", "select.js", "keys.js", "grid.js", "network.js")

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


def draw(
    question: Question,
    upload: Upload | None,
    trouble: ServiceError | None,
    info: Mapping[str, Any],
    facets: Mapping[str, Any],
    texts: Texts,
) -> None:
    """Draw what was found, or what there is to see before anything is asked.

    Args:
        question: what is asked.
        upload: the image that it is asked with.
        trouble: what became of ``GET /info``, where nothing came.
        info: what it says.
        facets: what ``GET /facets`` says of each field.
        texts: the page's words.
    """
    state = st.session_state
    several = texts.some(texts.chosen_images, len(question.likes))
    like = several if len(question.likes) > 1 else state.alts.get(question.like, texts.chosen)
    facts = {}
    pages = None
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
        first = browsing.first_images(facets)
        answer = None
        if not trouble:
            with contextlib.suppress(ServiceError):
                answer = known.first_images(str(info.get("version") or ""), first)
        if answer and answer.images:
            facts = selection.facts_of(answer.images, ranked=False)
            remember(answer, texts)
            told = texts.some_images if browsing.is_mixed(first) else texts.newest_images
            everything = browsing.everything(facets)
            parts.append(results.first_html(answer, told, everything, texts))
    elif isinstance(state.answer, ServiceError):
        parts.append(results.error_html(state.answer, texts))
        said = " ".join(results.explain(state.answer, texts))
    else:
        answer = state.answer
        new = answer.images[max(0, state.since - answer.gone) :]
        facts = selection.facts_of(new, ranked=answer.ranked)
        # What the browser has is not sent again, however often more is shown.
        pages = {
            "search": state.search,
            "first": answer.gone,
            "since": max(state.since, answer.gone),
            "until": answer.shown,
        }
        name = upload.name if upload else None
        sort = browsing.in_order(question, facets).sort
        order = browsing.orders(facets, sort, texts)[sort] if sort else ""
        heading = summary(question, answer, like, name, texts, order=order)
        # Of further ones, that they came; the rest has been said.
        said = state.came or announcement(heading, answer, texts)
        parts.append(
            results.answer_html(
                answer,
                question,
                heading,
                texts,
                info=info,
                upload=bool(upload),
                order=order,
                since=state.since,
            )
        )
    _show(
        key="results",
        data={
            "html": "".join(parts),
            "view": view_html(texts),
            "bar": selection.bar_html(texts, known.service().archive_address),
            "pages": pages,
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
    seeds = [
        (known.service().thumbnail(one), alts.get(one, texts.chosen)) for one in question.likes
    ]
    return results.seed_html(seeds, like, drop, without)


def _acted() -> None:
    """Follow a link or button among the results; see ``data-action`` in results.py."""
    state = st.session_state
    action = state.results.action
    if not isinstance(action, dict):
        return
    changed()
    state.focus, state.unheard = True, ""
    # Where nothing is left to ask, too, there is something to look at.
    state.serial += 1
    value = str(action.get("value", ""))
    match action.get("name"):
        case "ask":
            state.text = value
            drop_upload()
        case "like":
            drop_upload()
            state.like, state.ids = value, ()
        case "ids":
            drop_upload()
            state.text, state.negative, state.like = "", "", None
            state.filter, state.sort, state.weight = {}, "", 1.0
            state.ids = tuple(value.split(","))
        case "filter":
            filters.narrow(state.filter | json.loads(value))
        case "keep":
            filters.narrow(json.loads(value))
        case "clear":
            filters.narrow({})
            state.fold = False
            if not brought() and not asked().seeks:
                state.sort = ""
        case "unfold":
            state.fold = False
        case "order":
            state.sort = value
        case "forget":
            drop_upload()
            state.like = None
        case "again":
            again()
        case "zip":
            state.zip_wanted, state.focus = value, False
        case "first":
            state.pop("asked", None)
        case "whole":
            # A browser that has lost what it was sent.
            state.since, state.focus = 0, False
            state.serial -= 1
        case "more":
            state.more, state.focus = True, False
