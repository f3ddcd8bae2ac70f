"""Links among the results, which ``results.js`` follows without loading the page anew."""

from __future__ import annotations

from html import escape

from ui.question import Question


def link_html(
    leads_to: Question | None,
    action: str,
    value: str,
    text: str,
    *,
    label: str | None = None,
    css: str | None = None,
    lang: str | None = None,
) -> str:
    """A link to a question; a button where no address can hold it, which has no room for files.

    Args:
        leads_to: what the address asks; None where there is no such address.
        action: what ``ui/shown.py`` does instead.
        value: what it does that with.
        text: what is read.
        label: what is read out instead.
        css: the classes.
        lang: the language of ``text``, where it is not the page's.
    """
    attributes = {
        "href": leads_to.link() if leads_to else None,
        "type": None if leads_to else "button",
        "data-action": action,
        "data-value": value,
        "aria-label": label,
        "class": css,
        "lang": lang,
    }
    written = " ".join(
        f'{name}="{escape(value)}"' for name, value in attributes.items() if value is not None
    )
    tag = "a" if leads_to else "button"
    return f"<{tag} {written}>{escape(text)}</{tag}>"
