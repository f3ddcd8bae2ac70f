"""The evaluation as a page: queries, and the images found for them.

HTML, since a browser draws every script that the machine has letters for; in one file, with the
images in it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

ROWS = 48
COLUMNS = 8
SIDE = 128
_STYLE = f"""
body {{ font-family: system-ui, sans-serif; margin: 1.5rem; color: #141414; background: #fff }}
section {{ display: grid; grid-template-columns: 14rem 1fr; gap: 1rem; margin: 1.2rem 0 }}
section div {{ display: flex; flex-wrap: wrap; gap: .4rem }}
h2 {{ margin: 0; font-size: 1rem; overflow-wrap: anywhere }}
h2 small {{ display: block; font-weight: normal }}
figure {{ width: {SIDE}px; margin: 0; padding: 4px; border: 3px solid transparent }}
figure.hit {{ border-color: #188c3c }}
img, .none {{ display: block; width: {SIDE}px; height: {SIDE}px; object-fit: contain }}
.none {{ background: #eee }}
figcaption {{ font-size: .75rem; overflow-wrap: anywhere }}
"""


@dataclass(frozen=True)
class Cell:
    """An image that was found: its path, what it shows in words, and why it stands there.

    ``webp`` is a small image, None where there is none.
    """

    path: str
    alt_text: str
    why: str
    hit: bool
    webp: bytes | None


@dataclass(frozen=True)
class Row:
    """A query, what is to be said of it, and the first images found, best first."""

    query: str
    note: str
    cells: Sequence[Cell]


def evenly_spread(count: int) -> list[int]:
    """Which of so many queries are drawn, at most :data:`ROWS`, ascending."""
    return sorted({int(row) for row in np.linspace(0, count - 1, min(ROWS, count))})


def draw_sheet(title: str, rows: Sequence[Row]) -> str:
    """A document of HTML; what was sought has a green frame and says so."""
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>'
        f"\n<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        f"{''.join(map(_section, rows))}</html>\n"
    )


def _section(row: Row) -> str:
    heading = f"<bdi>{escape(row.query)}</bdi><small>{escape(row.note)}</small>"
    figures = "".join(map(_figure, row.cells)) or "Nothing is found."
    return f"<section>\n<h2>{heading}</h2>\n<div>{figures}</div>\n</section>\n"


def _figure(cell: Cell) -> str:
    image = f'<span class="none" role="img" aria-label="{escape(cell.alt_text)}"></span>'
    if cell.webp is not None:
        source = f"data:image/webp;base64,{base64.b64encode(cell.webp).decode()}"
        image = f'<img src="{source}" alt="{escape(cell.alt_text)}">'
    caption = f"<bdi>{escape(cell.path)}</bdi><br>{escape(cell.why)}"
    if cell.hit:
        caption = f"<strong>✓ sought</strong><br>{caption}"
    kind = ' class="hit"' if cell.hit else ""
    return f"<figure{kind}>{image}<figcaption>{caption}</figcaption></figure>\n"
