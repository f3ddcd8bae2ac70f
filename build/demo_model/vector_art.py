"""SVG drawings to PNG."""

from __future__ import annotations

import re

import resvg_py

# Old drawings leave the viewBox out and were made at 90 user units an inch.
_UNITS = {"": 1.0, "px": 1.0, "pt": 1.25, "mm": 90 / 25.4, "cm": 90 / 2.54, "in": 90.0}
_SVG_TAG = re.compile(r"<svg\b[^>]*>", re.DOTALL)


def render_svg(text: str, width: int) -> bytes:
    """The drawing as PNG, ``width`` pixels wide, transparent where it is empty.

    Raises:
        ValueError: the text is no SVG that can be drawn.
    """
    match = _SVG_TAG.search(text)
    if match is None:
        raise ValueError("no <svg> element")
    tag = match.group(0)
    if "viewBox" not in tag:
        box = f' viewBox="0 0 {_length(tag, "width")} {_length(tag, "height")}"'
        tag = tag[:-1] + box + ">"
    # Without a size of its own the drawing takes that of its viewBox.
    tag = re.sub(r'\s(?:width|height)="[^"]*"', "", tag)
    drawing = text[: match.start()] + tag + text[match.end() :]
    return bytes(resvg_py.svg_to_bytes(svg_string=drawing, width=width))


def _length(tag: str, name: str) -> float:
    found = re.search(rf'\s{name}="([\d.]+)([a-z]*)"', tag)
    if found is None or found.group(2) not in _UNITS:
        raise ValueError(f"the <svg> element has no usable {name}")
    return float(found.group(1)) * _UNITS[found.group(2)]
