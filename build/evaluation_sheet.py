"""The evaluation as a picture: queries, and the pictures found for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from build.evaluate import Evaluation, Pictures
from models.modes import on_white
from models.pictures import decode

ROWS = 24
_COLUMNS = 8
_SIDE = 112
_GAP = 10
_TEXT_WIDTH = 300
_FONT_SIZE = 16
_HIT = (24, 140, 60)
_BLACK = (20, 20, 20)
_WHITE = (255, 255, 255)


def draw_sheet(evaluation: Evaluation, pictures: Pictures) -> Image.Image:
    """A row for each of up to 24 queries, evenly spread; hits have a green frame."""
    count = len(evaluation.queries)
    rows = sorted({int(row) for row in np.linspace(0, count - 1, min(ROWS, count))})
    columns = min(_COLUMNS, len(pictures.paths))
    cell = _SIDE + _GAP
    sheet = Image.new("RGB", (_TEXT_WIDTH + columns * cell, _GAP + len(rows) * cell), _WHITE)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    for line, row in enumerate(rows):
        query = evaluation.queries[row]
        top = _GAP + line * cell
        draw.multiline_text((_GAP, top), _wrapped(query.text, draw, font), _BLACK, font)
        for column, position in enumerate(evaluation.order[row, :columns]):
            left = _TEXT_WIDTH + column * cell
            picture = _thumbnail(pictures.root / pictures.paths[position])
            offset = ((_SIDE - picture.width) // 2, (_SIDE - picture.height) // 2)
            sheet.paste(picture, (left + offset[0], top + offset[1]))
            if int(position) in query.hits:
                frame = (left - 3, top - 3, left + _SIDE + 2, top + _SIDE + 2)
                draw.rectangle(frame, outline=_HIT, width=3)
    return sheet


def _thumbnail(path: Path) -> Image.Image:
    picture = on_white(decode(path))
    picture.thumbnail((_SIDE, _SIDE))
    return picture


def _wrapped(
    text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> str:
    """Broken into lines that fit beside the pictures, at most six."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and draw.textlength(longer, font) > _TEXT_WIDTH - 2 * _GAP:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines if len(lines) <= 6 else [*lines[:5], lines[5] + " …"])
