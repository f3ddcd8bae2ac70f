"""The part of the page below the fields, as HTML.

Streamlit's own ``st.image`` takes no alt text, so images are rendered here, as a
heading and a list of figures.  Everything that comes from outside passes through
:func:`html.escape`.  Links carry the address that they lead to, so that they open in a
new tab and can be copied; ``data-action`` lets ``results.js`` follow them without
loading the page anew.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from ui.answers import Answer, FoundImage, ServiceError
from ui.conditions import chips_html, describe_filter
from ui.facets import can_filter
from ui.links import link_html
from ui.question import Question
from ui.selection import choose_html
from ui.texts import Texts

# In what an image says of itself, by the names that the service has for it.
_ORIGINS = {"exif": "EXIF", "iptc": "IPTC", "xmp": "XMP", "xmp-sidecar": "XMP"}
# The tags of the model are words of this language, whatever the page's.
_OF_TAGS = "en"
# These are to be seen at once; what is below waits until it is scrolled to.
_EAGER = 12
# In the third byte of a ThumbHash: there is something to see through.
_CLEAR = 0x80


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
    cards = [_card(image, Question(), None, texts, False, eager=True) for image in answer.images]
    link = link_html(everything, "order", everything.sort, texts.all_images, css="pill")
    return f'<h2 class="first">{escape(heading)}</h2>{_grid(cards)}<p class="more">{link}</p>'


def summary(
    question: Question,
    answer: Answer,
    like: str,
    upload: str | None,
    texts: Texts,
    *,
    order: str = "",
) -> str:
    """What was found, in a sentence: the heading, and what a screen reader announces first."""
    shown = len(answer.relevant)
    if shown and answer.total is not None and answer.total > shown:
        head = texts.found_of.format(n=shown, all=answer.total)
    elif shown:
        head = texts.some(texts.found, shown)
    else:
        head = texts.none_close if answer.images else texts.none
    if upload is not None:
        pattern = texts.for_upload_both if question.text else texts.for_upload
        told = pattern.format(name=upload, text=question.text)
    elif question.ids:
        gone = len(question.ids) - len(answer.images)
        told = texts.some(texts.gone, gone) if gone else ""
        return texts.some(texts.chosen_images, len(answer.images)) + told
    elif question.like and question.text:
        told = texts.for_both.format(like=like, text=question.text)
    elif question.like:
        told = texts.for_like.format(like=like)
    elif question.text:
        told = texts.for_query.format(text=question.text)
    else:
        told = ""
    if question.negative and answer.ranked:
        told += texts.without.format(negative=question.negative)
    if question.filter:
        told += texts.only_with.format(filter=describe_filter(question.filter))
    if order:
        told += f", {order}"
    return head + told


def announcement(summary: str, answer: Answer, texts: Texts) -> str:
    """What a screen reader is told: the summary, how many are folded away, what may be meant."""
    told = summary
    if answer.relevant and answer.weaker:
        told += texts.some(texts.weaker_folded, len(answer.weaker))
    if answer.suggestion:
        told += f". {texts.meant} {answer.suggestion}"
    return told


def answer_html(
    answer: Answer,
    question: Question,
    heading: str,
    texts: Texts,
    *,
    info: Mapping[str, Any],
    upload: bool = False,
    order: str = "",
) -> str:
    """The heading, the images and how they were found."""
    parts = [_heading(heading, texts if answer.relevant else None)]
    parts.append(chips_html(question, texts, upload=upload, order=order))
    if answer.suggestion:
        parts.append(_meant(answer.suggestion, question, texts, upload))
    if answer.images:
        # What is found by its words need not look like them: the first is not always the nearest.
        nearest = max(image.similarity or 0.0 for image in answer.images)
        best = max(nearest, 0.0) if answer.ranked else None
        if best is not None and not answer.relevant:
            # A bar that is full says "this is it".
            best = max(best, float(info.get("floor") or 0.0))
        cards = [
            _card(image, question, best, texts, upload, eager=image.relevant and place < _EAGER)
            for place, image in enumerate(answer.images)
        ]
        shown = [card for card, p in zip(cards, answer.images, strict=True) if p.relevant]
        folded = [card for card, p in zip(cards, answer.images, strict=True) if not p.relevant]
        more = _more(texts) if answer.next is not None else ""
        if shown:
            parts.append(_grid(shown))
        if folded:
            parts.append(_fold(folded, texts, only=not shown, more=more))
        else:
            parts.append(more)
    elif question.filter:
        told = texts.none_filter.format(filter=describe_filter(question.filter))
        without = None if upload else replace(question, filter={})
        parts.append(f'<p class="note" dir="auto">{escape(told)}</p>')
        parts.append(f"<p>{link_html(without, 'keep', '{}', texts.drop_filter, css='pill')}</p>")
    elif answer.ranked:
        parts.append(f'<p class="note">{escape(texts.none_hint)}</p>')
    if answer.ranked:
        parts.append(_how(answer, info, texts))
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


def alt_of(image: FoundImage, texts: Texts) -> str:
    """What an image shows, for those who do not see it; never empty."""
    return image.alt_text.strip() or image.caption or texts.image


def view_html(texts: Texts) -> str:
    """The inside of the larger view, which ``view.js`` fills with one image or another."""

    def button(part: str, label: str, sign: str) -> str:
        return (
            f'<button type="button" class="{part}" data-part="{part}" '
            f'aria-label="{escape(label)}"><span aria-hidden="true">{sign}</span></button>'
        )

    def link(part: str, label: str) -> str:
        new_tab = 'target="_blank" rel="noopener"'
        return f'<a class="pill" data-part="{part}" {new_tab}>{escape(label)}</a>'

    copy = (
        '<button type="button" class="pill" data-part="copy" '
        f'data-label="{escape(texts.copy_path)}" data-done="{escape(texts.path_copied)}">'
        f"{escape(texts.copy_path)}</button>"
    )
    return (
        f'<div class="stage">{button("previous", texts.previous, "‹")}'
        f'<img data-part="image" alt="">{button("next", texts.next, "›")}</div>'
        f'<div class="said"><p class="count" data-part="count" '
        f'data-label="{escape(texts.n_of_all)}"></p>{button("close", texts.close, "×")}'
        '<h2 id="sightline-view" data-part="caption" dir="auto"></h2>'
        '<div data-part="details"></div>'
        '<p class="path" data-part="path" dir="ltr"></p>'
        f'<p class="ways">{copy}{link("open", texts.full_size)}'
        f"{link('download', texts.download)}"
        '<span data-part="like"></span></p></div>'
    )


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


def _fold(cards: Sequence[str], texts: Texts, *, only: bool, more: str) -> str:
    """What falls behind, behind a button; open where there is nothing else to see."""
    hint = f'<p class="note">{escape(texts.weaker_hint)}</p>' if only else ""
    return (
        f'{hint}<details class="weaker"{" open" if only else ""}>'
        f"<summary>{escape(texts.some(texts.weaker, len(cards)))}</summary>"
        f"{_grid(cards)}{more}</details>"
    )


def _card(
    image: FoundImage,
    question: Question,
    best: float | None,
    texts: Texts,
    upload: bool,
    *,
    eager: bool,
) -> str:
    alt = alt_of(image, texts)
    # A word alone is hardly told from the page's own: an image is announced with its name.
    told = alt if len(alt.split()) > 1 else texts.image_of.format(alt=alt)
    loading = "eager" if eager else "lazy"
    foreign = image.source_of("alt_text") == "tags" and texts.language != _OF_TAGS
    spoken = f' lang="{_OF_TAGS}"' if foreign else ""
    image_html = (
        f'<img src="{escape(image.src)}" alt="{escape(told)}"{spoken} loading="{loading}" '
        'decoding="async">'
    )
    # As grid.css and grid.js want to know it.
    ratio = f"{image.ratio or 1.0:.3f}"
    frame = (
        f'class="frame {_mat(image)}" data-action="view" title="{escape(texts.larger)}" '
        f'data-thumbhash="{base64.b64encode(image.thumbhash).decode()}" data-ratio="{ratio}"'
    )
    if image.original:
        image_html = f'<a {frame} href="{escape(image.original)}">{image_html}</a>'
    else:
        image_html = f'<button type="button" {frame}>{image_html}</button>'
    caption = image.caption or alt
    # It has been read out with the image.
    unheard = f' aria-hidden="true"{spoken}' if caption == alt else ""
    like = link_html(
        # Words, exclusion and filter stay: what to take away says the reader.
        replace(question, like=image.id, ids=()),
        "like",
        image.id,
        texts.like,
        label=texts.like_this.format(alt=alt),
    )
    return (
        f'<li style="--ratio:{ratio}"><figure>{image_html}'
        f'<figcaption class="caption" dir="auto"{unheard}>{escape(caption)}'
        f"</figcaption></figure>{choose_html(image, alt, texts)}"
        f'<div class="about">'
        f'<span class="path" dir="ltr">{escape(image.image_path)}</span>'
        f"{'' if best is None else _similarity(image.similarity or 0.0, best, texts)}"
        f'<div class="actions">{like}{_details(image, question, texts, upload)}</div></div></li>'
    )


def _similarity(similarity: float, best: float, texts: Texts) -> str:
    share = round(100 * max(similarity, 0.0) / best) if best else 0
    return (
        f'<span class="similarity"><span class="bar" aria-hidden="true">'
        f'<span style="width:{share}%"></span></span>'
        f'<span class="number"><span class="unseen">{escape(texts.similarity)} </span>'
        f"{texts.number(similarity)}</span></span>"
    )


def _mat(image: FoundImage) -> str:
    """What an image stands on: the page's own colour, or where it is see-through, a bright one."""
    known = image.thumbhash
    return "opaque" if known and not known[2] & _CLEAR else "clear"


def _details(image: FoundImage, question: Question, texts: Texts, upload: bool) -> str:
    rows = []
    if image.matched:
        places = ", ".join(texts.places.get(name, name) for name in image.matched)
        rows.append(f"<dt>{escape(texts.found_in)}</dt><dd>{escape(places)}</dd>")
    if image.text:
        heading = escape(texts.text_within)
        rows.append(f'<dt>{heading}</dt><dd dir="auto">{escape(image.text)}</dd>')
    for name, value in image.metadata.items():
        if value in (None, "", [], {}):
            continue
        several = isinstance(value, list) and all(map(can_filter, value))
        shown = ", ".join(
            _value(name, one, question, texts, upload) for one in (value if several else [value])
        )
        origin = _ORIGINS.get(image.source_of(name))
        if origin is not None:
            shown += f' <span class="origin">({escape(origin)})</span>'
        rows.append(f'<dt dir="auto">{escape(name)}</dt><dd dir="auto">{shown}</dd>')
    if not rows:
        return ""
    return (
        # Of those with a name, one is open at a time.
        f'<details name="card"><summary>{escape(texts.details)}'
        f'<span class="unseen">: {escape(alt_of(image, texts))}</span></summary>'
        f"<dl>{''.join(rows)}</dl></details>"
    )


def _value(name: str, value: object, question: Question, texts: Texts, upload: bool) -> str:
    """One value of a field: an address as a link, what others may share as a filter."""
    said = _plain(value)
    if said.startswith(("https://", "http://")) and " " not in said:
        return (
            f'<a href="{escape(said)}" target="_blank" rel="noopener noreferrer">{escape(said)}</a>'
        )
    if not question.ids and can_filter(value):
        narrowed = None if upload else replace(question, filter={**question.filter, name: value})
        label = texts.only.format(field=name, value=said)
        return link_html(narrowed, "filter", json.dumps({name: value}), said, label=label)
    return escape(said)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _how(answer: Answer, info: Mapping[str, Any], texts: Texts) -> str:
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
