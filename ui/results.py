"""The part of the page below the fields, as HTML.

A heading and lists of cards.  Everything that comes from outside passes through
:func:`html.escape`.  Links carry the address that they lead to, so that they open in a
new tab and can be copied; ``data-action`` lets ``results.js`` follow them without
loading the page anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from ui.answers import Answer, ServiceError
from ui.cards import card_html
from ui.conditions import chips_html, describe_filter
from ui.how import how_html
from ui.links import link_html
from ui.question import Question
from ui.texts import Texts

# These are to be seen at once; what is below waits until it is scrolled to.
_EAGER = 12


def start_html(question: Question, texts: Texts, examples: Sequence[str] = ()) -> str:
    """What stands there before the first search, with texts that find something."""
    if question.negative:
        said = escape(texts.start_negative.format(negative=question.negative))
        return f'<p class="note" id="sightline-results" tabindex="-1" dir="auto">{said}</p>'
    chips = "".join(
        f"<li>{link_html(Question(text=example), 'ask', example, example, css='pill')}</li>"
        for example in examples
    )
    told = f"{texts.start} {texts.for_example}" if chips else texts.start
    start = f'<p class="note" id="sightline-results" tabindex="-1">{escape(told)}</p>'
    return start + (f'<ul class="examples" dir="auto">{chips}</ul>' if chips else "")


def first_html(answer: Answer, heading: str, everything: Question, texts: Texts) -> str:
    """Images to be seen before anything is asked, and a link to all there are.

    Args:
        answer: the images.
        heading: what they are.
        everything: what shows all.
        texts: the page's words.
    """
    cards = [
        card_html(image, Question(), None, texts, False, eager=True) for image in answer.images
    ]
    link = link_html(everything, "order", everything.sort, texts.all_images, css="pill")
    return f'<h2 class="first">{escape(heading)}</h2>{_grid(cards)}<p class="more">{link}</p>'


def answer_html(
    answer: Answer,
    question: Question,
    heading: str,
    texts: Texts,
    *,
    info: Mapping[str, Any],
    upload: bool = False,
    order: str = "",
    since: int = 0,
) -> str:
    """The heading, the images and how they were found.

    Args:
        answer: what was found.
        question: what was asked.
        heading: the answer's summary.
        texts: the page's words.
        info: what ``GET /info`` says.
        upload: whether an image was asked with.
        order: the order in words, where another than that by relevance was asked for.
        since: the place of the first image whose card is there; the browser has those before it.
    """
    parts = [_heading(heading, texts if answer.relevant else None)]
    parts.append(chips_html(question, texts, upload=upload, order=order))
    if answer.suggestion:
        parts.append(_meant(answer.suggestion, question, texts, upload))
    if answer.images:
        best = max(answer.best, 0.0) if answer.ranked else None
        if best is not None and not answer.relevant:
            # A bar that is full says "this is it".
            best = max(best, float(info.get("floor") or 0.0))
        shown: list[str] = []
        folded: list[str] = []
        for place, image in enumerate(answer.images, answer.gone):
            if place >= since:
                eager = image.relevant and place < _EAGER
                card = card_html(image, question, best, texts, upload, eager=eager, place=place)
                (shown if image.relevant else folded).append(card)
        more = _more(texts) if answer.next is not None else ""
        if answer.gone:
            parts.append(_gone(answer.gone, texts))
        if answer.relevant:
            parts.append(_grid(shown))
        if answer.weaker:
            label = texts.some(texts.weaker, len(answer.weaker))
            parts.append(_fold(folded, label, texts, only=not answer.relevant, more=more))
        else:
            parts.append(more)
    elif question.filter:
        told = texts.none_filter.format(filter=describe_filter(question.filter, texts))
        without = None if upload else replace(question, filter={})
        parts.append(f'<p class="note" dir="auto">{escape(told)}</p>')
        parts.append(f"<p>{link_html(without, 'keep', '{}', texts.drop_filter, css='pill')}</p>")
    elif answer.ranked:
        parts.append(f'<p class="note">{escape(texts.none_hint)}</p>')
    if answer.ranked:
        parts.append(how_html(answer, info, texts))
    if not upload:
        link = link_html(question, "copy", texts.copied, texts.link)
        parts.append(f'<p class="permalink">{link}</p>')
    return "".join(parts)


def _meant(suggestion: str, question: Question, texts: Texts, upload: bool) -> str:
    """What may have been meant, to be asked with one key."""
    other = None if upload else replace(question, text=suggestion)
    link = link_html(other, "ask", suggestion, suggestion, css="pill")
    return f'<p class="meant" dir="auto">{escape(texts.meant)} {link}</p>'


def notice_html(text: str) -> str:
    """Something that went wrong beside the search."""
    return f'<p class="notice">{escape(text)}</p>' if text else ""


def seed_html(images: Sequence[tuple[str, str]], told: str, drop: str, without: Question) -> str:
    """What others are to resemble, and how to forget it.

    Args:
        images: the thumbnail of each, empty where there is none, and what it shows.
        told: what they are called together.
        drop: what forgets them, in words.
        without: the search without them.
    """
    shown = [(thumbnail, alt) for thumbnail, alt in images if thumbnail]
    images_html = "".join(f'<img src="{escape(src)}" alt="{escape(alt)}">' for src, alt in shown)
    # It has been read out with the image.
    unheard = ' aria-hidden="true"' if told in [alt for _, alt in shown] else ""
    return (
        f'<p class="seed">{images_html}'
        f'<span dir="auto"{unheard}>{escape(told)}</span> '
        f"{link_html(without, 'forget', '', drop, css='pill')}</p>"
    )


def error_html(error: ServiceError, texts: Texts) -> str:
    """What is the matter, and what to do."""
    title, hint = explain(error, texts)
    button = ""
    if error.problem not in ("refused", "locked"):
        button = f'<button type="button" data-action="again">{escape(texts.again)}</button>'
    return (
        f'<div class="error"><h2 id="sightline-results" tabindex="-1">{escape(title)}</h2>'
        f'<p dir="auto">{escape(hint)}</p>{button}</div>'
    )


def explain(error: ServiceError, texts: Texts) -> tuple[str, str]:
    """An error as a headline and advice."""
    match error.problem:
        case "down":
            return texts.down, texts.down_hint
        case "slow":
            return texts.slow, texts.slow_hint
        case "busy":
            return texts.busy, texts.some(texts.busy_hint, error.retry_after or 1)
        case "locked":
            return texts.locked, texts.locked_hint
        case "refused":
            hints = {"like": texts.like_gone, "image": texts.not_an_image}
            said = texts.refused_hint.format(message=error.message)
            # Of one of several: queries.0.like.
            field = (error.field or "").rpartition(".")[2]
            return texts.refused, hints.get(field, said)
        case "failed":
            return texts.failed, texts.failed_hint


def _heading(text: str, texts: Texts | None) -> str:
    """The heading; with ``texts``, a button beside it that has the images read out."""
    heading = f'<h2 id="sightline-results" tabindex="-1" dir="auto">{escape(text)}</h2>'
    if texts is None:
        return heading
    # Shown by results.js where the browser can speak.
    return (
        f'<div class="heading">{heading}<button type="button" class="pill" data-action="read" '
        f'aria-pressed="false" hidden>{escape(texts.read)}</button></div>'
    )


def _grid(cards: Iterable[str]) -> str:
    # Safari forgets that an unmarked list is a list.
    return f'<ul class="grid" role="list">{"".join(cards)}</ul>'


def _more(texts: Texts) -> str:
    return (
        f'<p class="more"><button type="button" class="pill" data-action="more">'
        f"{escape(texts.more)}</button></p>"
    )


def _gone(number: int, texts: Texts) -> str:
    """That some are no longer shown, and the way back to them."""
    return (
        f'<p class="gone">{escape(texts.some(texts.let_go, number))} <button type="button" '
        f'class="pill" data-action="first">{escape(texts.to_first)}</button></p>'
    )


def _fold(cards: Sequence[str], label: str, texts: Texts, *, only: bool, more: str) -> str:
    """What falls behind, behind a button; open where there is nothing else to see."""
    hint = f'<p class="note">{escape(texts.weaker_hint)}</p>' if only else ""
    return (
        f'{hint}<details class="weaker"{" open" if only else ""}>'
        f"<summary>{escape(label)}</summary>"
        f"{_grid(cards)}{more}</details>"
    )
