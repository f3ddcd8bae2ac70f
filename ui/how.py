"""How images were found, as HTML: the model, the index, and how long each step took."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ui.answers import Answer
from ui.texts import Texts


def how_html(answer: Answer, info: Mapping[str, Any], texts: Texts) -> str:
    """What ``/info`` and the answer tell of it, folded away until somebody asks."""
    rows = [
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(info, texts)
    ]
    steps = [
        (name, label, answer.timing[name]) for name, label in texts.steps if name in answer.timing
    ]
    total = sum(duration for _, _, duration in steps)
    if total > 0:
        bar = "".join(
            f'<span class="{name}" style="flex-grow:{duration / total:.4f}"></span>'
            for name, _, duration in steps
        )
        legend = "".join(
            f'<li class="{name}">{escape(label)} <b>{texts.number(duration, 1)} ms</b></li>'
            for name, label, duration in steps
        )
        timing = (
            f'<div class="timing" aria-hidden="true">{bar}</div>'
            f'<ul class="legend" role="list">{legend}</ul>'
        )
    else:
        timing = ""
    whole = texts.how_total.format(ms=texts.number(answer.round_trip, 0))
    return (
        f'<details class="how"><summary>{escape(texts.how)}</summary>'
        f"<dl>{''.join(rows)}</dl>{timing}<p>{escape(whole)}</p>"
        f"<p>{escape(texts.how_scale)} {escape(texts.how_weaker)}</p></details>"
    )


def facts(info: Mapping[str, Any], texts: Texts) -> list[tuple[str, str]]:
    """What ``/info`` tells about the model and the index, as far as it does."""
    rows = []
    model = info.get("model")
    if isinstance(model, dict) and model.get("name"):
        told = [model["name"], model.get("pretrained"), model.get("text_precision")]
        rows.append((texts.how_model, " · ".join(str(part) for part in told if part)))
    index = info.get("index")
    if isinstance(index, dict) and index.get("kind"):
        told = [index["kind"], index.get("metric"), index.get("tuned_with")]
        rows.append((texts.how_index, " · ".join(str(part) for part in told if part)))
    return rows
