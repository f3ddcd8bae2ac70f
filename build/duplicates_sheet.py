"""A contact sheet of what looks alike: one HTML file, which holds the thumbnails itself."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from html import escape
from typing import TextIO

from build.duplicates import Member
from models.items import Item

# A browser takes a few thousand images in one page, of some ten kilobytes each.
# Gives an image's thumbnail.
Thumbnail = Callable[[Item], bytes | None]
MOST_GROUPS = 200
MOST_SHOWN = 12

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Duplicates</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.4 system-ui, sans-serif }
ul { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none }
li { width: 12rem; overflow-wrap: anywhere }
img { display: block; max-width: 100%; max-height: 10rem }
</style>
<h1>Duplicates</h1>
"""


def write_sheet(
    stream: TextIO, groups: Iterable[list[Member]], count: int, thumbnail: Thumbnail
) -> None:
    """Write the first 200 groups, and of each the first 12 images, with alt texts.

    Args:
        stream: of a text file in UTF-8.
        groups: the groups to show, at most ``MOST_GROUPS``.
        count: how many groups there are.
        thumbnail: gives an image's as WebP, None where there is none.
    """
    stream.write(_HEAD)
    shown = min(count, MOST_GROUPS)
    which = f"the first {shown} of {count}" if shown < count else f"{count}"
    stream.write(f"<p>Groups of images that look alike: {which}.</p>\n")
    for number, group in enumerate(groups, start=1):
        stream.write(f"<h2>Group {number}: {len(group)} images</h2>\n<ul>\n")
        stream.writelines(_figures(group[:MOST_SHOWN], thumbnail))
        stream.write("</ul>\n")
        if len(group) > MOST_SHOWN:
            stream.write(f"<p>… and {len(group) - MOST_SHOWN} more.</p>\n")
    stream.write("</html>\n")


def _figures(group: Iterable[Member], thumbnail: Thumbnail) -> Iterator[str]:
    for member in group:
        item = member.item
        webp = thumbnail(item)
        image = "<em>no thumbnail</em>"
        if webp is not None:
            data = base64.b64encode(webp).decode("ascii")
            image = f'<img alt="{_text(item.alt_text)}" src="data:image/webp;base64,{data}">'
        size = f"{item.width} × {item.height}, " if item.width and item.height else ""
        told = f"{_text(item.image_path)}<br>{size}cosine {member.cosine:.3f}"
        yield f"<li>{image}{told}</li>\n"


def _text(text: str) -> str:
    """Safe within HTML and UTF-8: names of files need not be either."""
    return escape(text.encode("utf-8", "replace").decode("utf-8"))
