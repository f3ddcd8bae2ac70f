"""The items of a bundle: what is said of each image, and alt text where nobody has said any."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build.metadata.description import CAPTIONER, NOTHING_SAID, OCR, TAGS, Description
from models.items import Item, item_id

# SQLite's JSON functions refuse what is nested deeper than 1000 times.
_DEEPEST = 32
# Of a text in the image, what is read aloud unasked.
_READ_ALOUD = 200
# Images that are described together.
_AT_ONCE = 1024

AltTexts = Callable[[NDArray[np.float32]], list[str]]


def describe(
    paths: Sequence[str],
    sizes: Sequence[tuple[int, int] | None],
    vectors: NDArray[np.float32],
    said: Mapping[str, Description],
    guess: AltTexts | None,
    *,
    written: Mapping[str, str] = MappingProxyType({}),
    texts: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Item]:
    """The items of a bundle, one after the other.

    The alt text is the one that somebody wrote, else the caption; without these what a captioner
    wrote; then what ``guess`` makes of the vector, and the text that stands in the image;
    without any it says that there is an image and how large.  It is never the file's name.

    Args:
        paths: the images in order of position.
        sizes: width and height in pixels, None where they are not known.
        vectors: float32 ``[n, dim]``, a row for each image.
        said: what files and sidecars say, by path.
        guess: alt texts from vectors; None where the model cannot tell.
        written: what a captioner says, by path.
        texts: what can be read in images, by path.
    """
    for start in range(0, len(paths), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        known = [said.get(path, NOTHING_SAID) for path in paths[some]]
        bare = [
            start + row
            for row, (path, description) in enumerate(zip(paths[some], known, strict=True))
            if not (description.alt_text or description.caption or written.get(path))
        ]
        guessed = guess(vectors[bare]) if guess is not None and bare else []
        alt_texts = dict(zip(bare, guessed, strict=False))
        each = zip(paths[some], sizes[some], known, strict=True)
        for position, (path, size, description) in enumerate(each, start):
            guessed_one = alt_texts.get(position)
            yield _item(
                position, path, size, description, written.get(path), guessed_one, texts.get(path)
            )


def _item(
    position: int,
    path: str,
    size: tuple[int, int] | None,
    description: Description,
    written: str | None,
    guessed: str | None,
    text: str | None,
) -> Item:
    sources = dict(description.sources)
    text = text or None
    if text:
        sources["text"] = OCR
    alt_text = description.alt_text or description.caption
    if description.alt_text is None and description.caption is not None:
        sources["alt_text"] = sources["caption"]
    if not alt_text:
        alt_text, source = _alt_text(written, guessed, text)
        if source is not None:
            sources["alt_text"] = source
    width, height = size or (None, None)
    return Item(
        position=position,
        id=item_id(path),
        image_path=path,
        width=width,
        height=height,
        caption=description.caption,
        alt_text=alt_text or _bare_description(size),
        text=text,
        metadata=json_safe(description.metadata),
        sources=json_safe(sources),
    )


def _alt_text(
    written: str | None, guessed: str | None, text: str | None
) -> tuple[str | None, str | None]:
    """What machines say of an image, and which of them."""
    if written:
        return written, CAPTIONER
    if text:
        read = text if len(text) <= _READ_ALOUD else f"{text[:_READ_ALOUD]}…"
        return (f"{guessed}. Text: {read}", TAGS) if guessed else (f"Text: {read}", OCR)
    return (guessed, TAGS) if guessed else (None, None)


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
