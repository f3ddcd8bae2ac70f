"""Drawings that are kept as SVG, made into images of pixels."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from build.demo_gallery.packages import Package, fetch
from build.demo_model.vector_art import render_svg

_WIDTH = 256
_TALLEST = 512


class Icons:
    """A set of icons in Iconify's JSON."""

    def __init__(self, package: Package, cache: Path) -> None:
        folder = fetch(package, cache)
        self._set: dict[str, Any] = json.loads((folder / "icons.json").read_text("utf-8"))
        self._rendered = cache / "rendered" / package.name.rpartition("/")[2]
        self.names: list[str] = list(self._set["icons"])
        characters = folder / "chars.json"
        self.characters: dict[str, str] = (
            json.loads(characters.read_text("utf-8")) if characters.exists() else {}
        )

    def render(self, name: str) -> Path:
        """Draw an icon, unless that was done before; gives the file."""
        path = self._rendered / f"{name}.png"
        icon = self._set["icons"][name]
        width, height = (icon.get(side, self._set.get(side, 16)) for side in ("width", "height"))
        box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        links = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {links} viewBox="{box}">{icon["body"]}</svg>'
        )
        render(svg, path)
        return path


def render(svg: str, path: Path) -> bool:
    """Draw into ``path`` unless it is there; False if there is nothing to see."""
    if path.exists():
        return True
    try:
        drawing = Image.open(io.BytesIO(render_svg(svg, _WIDTH))).convert("RGBA")
    except ValueError:
        return False
    if drawing.getchannel("A").getextrema()[1] == 0:
        return False
    drawing.thumbnail((_TALLEST, _TALLEST))
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.save(path)
    return True
