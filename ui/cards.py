"""The cards of the images, as HTML: what each shows, how near it is, and what is known of it.

Streamlit's own ``st.image`` takes no alt text, so images are rendered here, as figures.
Everything that comes from outside passes through :func:`html.escape`.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from html import escape

from ui.answers import FoundImage
from ui.facets import can_filter
from ui.links import link_html
from ui.names import field_name
from ui.question import Question
from ui.selection import choose_html
from ui.texts import Texts

# In what an image says of itself, by the names that the service has for it.
_ORIGINS = {"exif": "EXIF", "iptc": "IPTC", "xmp": "XMP", "xmp-sidecar": "XMP"}
# The tags of the model are words of this language, whatever the page's.
_OF_TAGS = "en"
# In the third byte of a ThumbHash: there is something to see through.
_CLEAR = 0x80


def alt_of(image: FoundImage, texts: Texts) -> str:
    """What an image shows, for those who do not see it; never empty."""
    return image.alt_text.strip() or image.caption or texts.image


def card_html(
    image: FoundImage,
    question: Question,
    best: float | None,
    texts: Texts,
    upload: bool,
    *,
    eager: bool,
    place: int = 0,
) -> str:
    """An image's card, an item of a list.

    Args:
        image: the image.
        question: what was asked, which its links go on from.
        best: the similarity at which the bar is full; None for no bar.
        texts: the page's words.
        upload: whether an image was asked with, which no address can hold.
        eager: whether the thumbnail is fetched before it is scrolled to.
        place: how many images came before it.
    """
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
    alike = _alike(image, question, alt, texts)
    return (
        f'<li style="--ratio:{ratio}" data-place="{place}"><figure>{image_html}'
        f'<figcaption class="caption" dir="auto"{unheard}>{escape(caption)}'
        f"</figcaption></figure>{choose_html(image, alt, texts)}"
        f'<div class="about">'
        f'<span class="path" dir="ltr">{escape(image.image_path)}</span>'
        f"{'' if best is None else _similarity(image.similarity or 0.0, best, texts)}"
        f'<div class="actions">{like}{alike}{_details(image, question, texts, upload)}</div>'
        f"</div></li>"
    )


def _alike(image: FoundImage, question: Question, alt: str, texts: Texts) -> str:
    """A link to what looks like an image and is folded into it; nothing where nothing is."""
    if not image.alike:
        return ""
    ids = (image.id, *image.alike_ids)
    told = texts.some(texts.alike, image.alike)
    # Of many the service names the first.
    others = texts.alike_these if len(image.alike_ids) == image.alike else texts.alike_first
    label = f"{told}: {texts.some(others, len(image.alike_ids))}: {alt}"
    # As a link to what was chosen: what was sought is a step back.
    these = Question(ids=ids, k=question.k, fold=question.fold)
    return link_html(these, "ids", ",".join(ids), told, label=label)


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
        rows.append(
            f'<dt dir="auto">{escape(field_name(name, texts))}</dt><dd dir="auto">{shown}</dd>'
        )
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
        label = texts.only.format(field=field_name(name, texts), value=said)
        return link_html(narrowed, "filter", json.dumps({name: value}), said, label=label)
    return escape(said)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
