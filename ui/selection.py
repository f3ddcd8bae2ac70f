"""Images that the reader has chosen: their checkboxes, the bar with what can be done, as HTML.

Which are chosen knows the browser alone (``select.js``), and keeps them from one search to the
next.  Everything that comes from outside passes through :func:`html.escape`.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ui.answers import FoundImage
from ui.question import MAX_CHOSEN, MAX_LIKES
from ui.texts import Texts


def choose_html(image: FoundImage, alt: str, texts: Texts) -> str:
    """The checkbox of an image's card."""
    label = escape(texts.choose.format(alt=alt))
    return f'<input type="checkbox" class="choose" value="{escape(image.id)}" aria-label="{label}">'


def facts_of(images: Iterable[FoundImage], *, ranked: bool) -> dict[str, dict[str, Any]]:
    """What a CSV says of each image, by its id: columns, and ``metadata`` with more of them."""
    return {
        image.id: {
            "image_path": image.image_path,
            "caption": image.caption,
            "alt_text": image.alt_text,
            "similarity": image.similarity if ranked else None,
            "metadata": dict(image.metadata),
        }
        for image in images
    }


def bar_html(texts: Texts, archive: str | None) -> str:
    """The inside of the bar, which ``select.js`` fills and shows once something is chosen.

    Args:
        texts: the page's words.
        archive: where the browser may have a ZIP of originals, None where only this page may.
    """

    def button(part: str, label: str, done: str = "") -> str:
        told = f' data-label="{escape(label)}" data-done="{escape(done)}"' if done else ""
        return (
            f'<button type="button" class="pill" data-part="{part}"{told}>{escape(label)}</button>'
        )

    counted = {
        "one": texts.n_chosen[0],
        "several": texts.n_chosen[1],
        "none": texts.none_chosen,
        "hidden-one": texts.n_elsewhere[0],
        "hidden-several": texts.n_elsewhere[1],
    }
    said = " ".join(f'data-{name}="{escape(text)}"' for name, text in counted.items())
    most = f'data-most="{MAX_CHOSEN}" data-too-many="{escape(texts.zip_most.format(n=MAX_CHOSEN))}"'
    zipped = f'data-part="zip" class="pill" data-label="{escape(texts.zip)}" {most}'
    if archive is None:
        zip_html = f'<button type="button" {zipped} data-action="zip"></button>'
    else:
        zip_html = f'<a {zipped} data-base="{escape(archive)}" target="_blank" rel="noopener"></a>'
    first = texts.like_first.format(n=MAX_LIKES)
    return (
        f'<p id="sightline-chosen" data-part="count" {said}></p><div class="ways">'
        f'<a class="pill" data-part="like" data-action="like" data-most="{MAX_LIKES}" '
        f'data-label="{escape(texts.like_these)}" data-first="{escape(first)}"></a>'
        f"{zip_html}{button('csv', texts.csv)}"
        f"{button('paths', texts.copy_paths, texts.paths_copied)}"
        f"{button('link', texts.copy_link, texts.copied)}"
        f"</div>{button('clear', texts.clear)}"
    )
