"""Questions about images, with the images that answer them, by which a search is measured.

A line of a file each, ``kind`` being what they are told apart by:

    {"question": "Sydney 2017", "kind": "date", "hits": ["buildings/sydney-opera-house.jpg"]}

Weights are chosen by one half of the questions, ``tune``, and what they find is told of the other,
``test``.  Which half a question is in is a matter of its text alone, so that none changes over.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from build.errors import BuildError
from models.items import Item

Half = Literal["tune", "test"]
_FORM = '{"question": "...", "kind": "...", "hits": ["path", ...]}'


@dataclass(frozen=True)
class Question:
    """A text, its kind, and the positions of the images that it should find, at least one."""

    text: str
    kind: str
    hits: frozenset[int]


def half_of(text: str) -> Half:
    """``tune`` where the SHA-256 of the text in UTF-8 begins with an even byte."""
    return "test" if hashlib.sha256(text.encode("utf-8")).digest()[0] % 2 else "tune"


def read_questions(file: Path, paths: Sequence[str], half: Half | None = None) -> list[Question]:
    """The questions of a file, or those of one half.

    Args:
        file: JSON lines; a hit is an image's path, or a pattern of such paths.
        paths: of the images, by position.
        half: the one to read.

    Raises:
        BuildError: the file is not of this form, a hit is no image, or none is left.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise BuildError(f"{file} cannot be read: {error}") from None
    questions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            entry = json.loads(line)
            text, kind, patterns = entry["question"], entry["kind"], entry["hits"]
        except (ValueError, KeyError, TypeError):
            raise BuildError(f"{where} is no {_FORM}") from None
        if not isinstance(patterns, list) or not all(
            isinstance(each, str) for each in (text, kind, *patterns)
        ):
            raise BuildError(f"{where} is no {_FORM}")
        hits = hits_of(patterns, paths, f"{where}: {text!r}", "the bundle")
        if half in (None, half_of(text)):
            questions.append(Question(text, kind, hits))
    if not questions:
        raise BuildError(f"{file} holds no questions{f' of the half {half}' if half else ''}")
    return questions


def questions_of_captions(items: Iterable[Item], half: Half | None = None) -> list[Question]:
    """Every distinct caption that a machine has not written, or those of one half.

    Raises:
        BuildError: there is none.
    """
    hits: dict[str, set[int]] = {}
    for item in items:
        if item.caption and item.sources.get("caption") != "captioner":
            hits.setdefault(item.caption, set()).add(item.position)
    questions = [
        Question(text, "caption", frozenset(positions))
        for text, positions in hits.items()
        if half in (None, half_of(text))
    ]
    if not questions:
        raise BuildError("the bundle has no captions to ask for: give --questions FILE.")
    return questions


def hits_of(
    patterns: Sequence[str], paths: Sequence[str], where: str, root: Path | str
) -> frozenset[int]:
    """The positions of the images at some paths, or at what some patterns stand for.

    Args:
        patterns: paths, or patterns of them.
        paths: of all images, by position.
        where: what names them, for an error.
        root: what the images are in, for an error.

    Raises:
        BuildError: there are no patterns, or one stands for no image.
    """
    positions: set[int] = set()
    for pattern in patterns:
        found = {
            position
            for position, path in enumerate(paths)
            if path == pattern or fnmatch.fnmatchcase(path, pattern)
        }
        if not found:
            raise BuildError(f"{where}: no image {pattern!r} in {root}")
        positions |= found
    if not positions:
        raise BuildError(f"{where} has no hits")
    return frozenset(positions)
