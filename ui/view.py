"""The larger view, as HTML."""

from __future__ import annotations

from html import escape

from ui.texts import Texts


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
