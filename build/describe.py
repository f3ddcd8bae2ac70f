"""What is said of each picture: caption, metadata, and alt text with its source."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build.captions import Caption
from models.items import Item, item_id

NO_CAPTION = Caption(None)
# SQLite's JSON functions refuse what is nested deeper than 1000 times.
_DEEPEST = 32

AltTexts = Callable[[NDArray[np.float32]], list[str]]


def describe(
    paths: Sequence[str],
    sizes: Sequence[tuple[int, int] | None],
    vectors: NDArray[np.float32],
    captions: Mapping[str, Caption],
    guess: AltTexts | None,
    written: Mapping[str, str] = MappingProxyType({}),
) -> list[Item]:
    """The items of a bundle.

    The alt text is the caption; without one what a captioner wrote; then what ``guess`` makes
    of the vector; without any it says that there is a picture and how large.  It is never
    the file's name.

    Args:
        paths: the pictures in order of position.
        sizes: width and height in pixels, None where they are not known.
        vectors: float32 ``[n, dim]``, a row for each picture.
        captions: what sidecars say, by path.
        guess: alt texts from vectors; None where the model cannot tell.
        written: what a captioner says, by path.
    """
    known = [captions.get(path, NO_CAPTION) for path in paths]
    bare = [
        row
        for row, (path, caption) in enumerate(zip(paths, known, strict=True))
        if not caption.text and not written.get(path)
    ]
    guessed = guess(vectors[bare]) if guess is not None and bare else []
    alt_texts = dict(zip(bare, guessed, strict=False))
    items = []
    for position, (path, size, caption) in enumerate(zip(paths, sizes, known, strict=True)):
        if caption.text:
            alt_text, source = caption.text, "caption"
        elif written.get(path):
            alt_text, source = written[path], "captioner"
        elif alt_texts.get(position):
            alt_text, source = alt_texts[position], "tags"
        else:
            alt_text, source = _bare_description(size), "none"
        width, height = size or (None, None)
        items.append(
            Item(
                position=position,
                id=item_id(path),
                image_path=path,
                width=width,
                height=height,
                caption=caption.text or None,
                alt_text=alt_text,
                alt_text_source=source,
                metadata=json_safe(caption.metadata),
            )
        )
    return items


def json_safe(value: Any, depth: int = 0) -> Any:
    """The value as JSON can hold and SQLite can search it, nothing left out.

    Numbers that JSON lacks become null, half surrogate pairs question marks, and what is
    of no JSON type, or nested too deep, its text.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {json_safe(str(key)): json_safe(each, depth + 1) for key, each in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return [json_safe(each, depth + 1) for each in value]
    return json_safe(str(value))


def _bare_description(size: tuple[int, int] | None) -> str:
    return "Picture" if size is None else f"Picture, {size[0]} by {size[1]} pixels"
