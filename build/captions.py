"""Captions and metadata that lie beside the images.

Four forms are read, in rising order of precedence:

- ``captions.csv`` at the root of the tree, a row per image;
- ``metadata.jsonl`` at the root, an object per line (the layout of Hugging Face's
  ImageFolder);
- ``photo.txt`` beside ``photo.jpg``: its first line that is not empty;
- ``photo.json`` beside it: an object, ``caption`` and whatever else is known.

In all but the third ``alt_text`` is what is read aloud instead of the image.  An image's own
file thus wins over the tables, key by key.  What img2dataset has downloaded comes with the last
two.  Nothing that a user may have left in such a file stops a build: what cannot be read becomes
a warning.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from build.archives import Archives
from build.caption import PATH_COLUMNS, Caption, said_in
from build.caption_csv import read_table
from build.metadata.values import one_line
from models.filters import nfc

_LARGEST_SIDECAR = 1 << 20
_NAMED_STRAYS = 3
# What detectors are trained with lies beside images, too: a class and a box, in numbers (YOLO,
# KITTI and others), or LabelMe's shapes.
_LABEL = re.compile(r"\S+( -?\d+(\.\d*)?(e[+-]?\d+)?){4,}", re.IGNORECASE)
_LABELLED = {"shapes", "imagePath"}


def read_captions(
    root: Path, images: Sequence[str], archives: Archives | None = None
) -> tuple[dict[str, Caption], list[str]]:
    """Read what is said of ``images`` in the tree under ``root``.

        >>> captions, warnings = read_captions(Path("demo/gallery"), ["animals/koala.jpg"])
        >>> captions["animals/koala.jpg"].text
        'A koala sitting in a tree'

    Args:
        root: the root of the image tree.
        images: paths relative to it, with ``/``.
        archives: the tars that some of them are in.

    Returns:
        The captions by image (those of which nothing is said are left out), and
        warnings for the user: "photo.json: line 3: ...".
    """
    reader = _Reader(root, images, archives)
    for name, read in (
        ("captions.csv", reader.read_csv),
        ("metadata.jsonl", reader.read_jsonl),
    ):
        for path in _children(root):
            if path.name.lower() == name:
                read(path)
    reader.read_sidecars()
    return reader.captions, reader.warnings


class _Reader:
    """The captions and warnings gathered so far."""

    def __init__(self, root: Path, images: Sequence[str], archives: Archives | None) -> None:
        self._root = root
        self._archives = archives
        self._absolute_root = root.resolve().as_posix().rstrip("/") + "/"
        self._images = images
        # A table made on one system names files that another has normalised otherwise.
        self._by_name = {nfc(image): image for image in images}
        self.captions: dict[str, Caption] = {}
        self.warnings: list[str] = []

    def read_csv(self, path: Path) -> None:
        text = self._read_text(path)
        if text is None:
            return
        table = read_table(text, lambda what: self._warn(path, what))
        if table is None:
            self._warn(path, f"no column {' or '.join(PATH_COLUMNS)} in its first line")
            return
        self._add_table(path, table.rows, table.path_column)

    def read_jsonl(self, path: Path) -> None:
        text = self._read_text(path)
        if text is None:
            return
        rows = []
        # str.splitlines would split at U+2028 too, which JSON allows within a string.
        for line, record in enumerate(io.StringIO(text), start=1):
            if not record.strip():
                continue
            value = self._parse_object(record, path, line)
            if value is not None:
                rows.append((line, value))
        for path_column in PATH_COLUMNS:
            if any(path_column in row for _, row in rows):
                self._add_table(path, rows, path_column)
                return
        if rows:
            self._warn(path, f"no key {' or '.join(PATH_COLUMNS)} in any line")

    def read_sidecars(self) -> None:
        """Read the .txt and .json files beside the images."""
        folders: dict[str, dict[tuple[str, str], Path]] = {}
        for image in self._images:
            name = PurePosixPath(image)
            folder = str(name.parent)
            if folder not in folders:
                folders[folder] = {
                    (path.stem, path.suffix.lower()): path
                    for path in self._files(self._root / folder)
                }
            if text_file := folders[folder].get((name.stem, ".txt")):
                self._read_text_sidecar(image, text_file)
            if json_file := folders[folder].get((name.stem, ".json")):
                self._read_json_sidecar(image, json_file)

    def _read_text_sidecar(self, image: str, path: Path) -> None:
        text = self._read_text(path, _LARGEST_SIDECAR)
        for line in (text or "").splitlines():
            caption = nfc(one_line(line))
            if _LABEL.fullmatch(caption):
                self._warn(path, "holds numbers, as labels for detection do: no caption")
                return
            if caption:
                self._add(image, Caption(caption))
                return

    def _read_json_sidecar(self, image: str, path: Path) -> None:
        text = self._read_text(path, _LARGEST_SIDECAR)
        if not text or not text.strip():
            return
        value = self._parse_object(text, path)
        if value is not None and value.keys() >= _LABELLED:
            self._warn(path, "holds labels for detection: no metadata")
        elif value is not None:
            self._add(image, self._said_in(value, path))

    def _add_table(
        self, path: Path, rows: Iterable[tuple[int, dict[str, Any]]], path_column: str
    ) -> None:
        seen: dict[str, int] = {}
        strays = []
        for line, row in rows:
            named = row.pop(path_column, None)
            if not isinstance(named, str) or not named.strip():
                self._warn(path, f"line {line}: no {path_column}")
                continue
            image = self._image(named)
            if image is None:
                if not self._on_disk(named):
                    strays.append(f"line {line}: {named.strip()}")
            elif image in seen:
                self._warn(path, f"line {line}: {image} again, after line {seen[image]}")
            else:
                seen[image] = line
                self._add(image, self._said_in(row, path, line))
        if strays:
            some = "; ".join(strays[:_NAMED_STRAYS])
            more = "; ..." if len(strays) > _NAMED_STRAYS else ""
            self._warn(path, f"{len(strays)} rows name no image of the tree: {some}{more}")

    def _add(self, image: str, caption: Caption) -> None:
        """Lay ``caption`` over what is known already."""
        known = self.captions.get(image, Caption(None))
        text = caption.text or known.text
        self.captions[image] = Caption(text, known.metadata | caption.metadata)

    def _said_in(self, row: Mapping[str, Any], path: Path, line: int | None = None) -> Caption:
        caption, wrong = said_in(row)
        if wrong:
            self._warn(path, wrong if line is None else f"line {line}: {wrong}")
        return caption

    def _image(self, named: str) -> str | None:
        """The image that a table means by ``named``, or None."""
        name = nfc(named.strip().replace("\\", "/"))
        name = re.sub(r"/+", "/", name).removeprefix(self._absolute_root)
        while name.startswith("./"):
            name = name[2:]
        return self._by_name.get(name)

    def _on_disk(self, named: str) -> bool:
        """Whether the file is there all the same: left out of a sample, say."""
        try:
            return (self._root / named.strip().replace("\\", "/")).is_file()
        except (OSError, ValueError):
            return False

    def _parse_object(
        self, text: str, path: Path, line: int | None = None
    ) -> dict[str, Any] | None:
        where = "" if line is None else f"line {line}: "
        try:
            # NaN and the infinities are no JSON and would spoil the item store's.
            value = _without_surrogates(json.loads(text, parse_constant=lambda _: None))
        except json.JSONDecodeError as error:
            self._warn(path, f"{where or f'line {error.lineno}: '}no JSON: {error.msg}")
            return None
        except (RecursionError, ValueError) as error:  # too deep; a number of too many digits
            self._warn(path, f"{where}no usable JSON: {error}")
            return None
        if not isinstance(value, dict):
            self._warn(path, f"{where}no JSON object")
            return None
        return value

    def _files(self, folder: Path) -> list[Path]:
        in_tar = self._archives.names(folder) if self._archives is not None else []
        return [folder / name for name in in_tar] or _children(folder)

    def _read_text(self, path: Path, limit: int | None = None) -> str | None:
        """The file's text without its byte order mark; None, with a warning, if unreadable."""
        member = self._archives.find(path) if self._archives is not None else None
        try:
            if (
                limit is not None
                and (path.stat().st_size if member is None else member.size) > limit
            ):
                self._warn(path, f"larger than {limit >> 20} MB: left out")
                return None
            content = path.read_bytes() if member is None else member.read()
        except OSError as error:
            self._warn(path, f"cannot be read ({error.strerror})")
            return None
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16", errors="replace")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            self._warn(path, "is not UTF-8; read as Windows-1252")
            return content.decode("cp1252", errors="replace")

    def _warn(self, path: Path, what: str) -> None:
        self.warnings.append(f"{path.relative_to(self._root).as_posix()}: {what}")


def _without_surrogates(value: object) -> object:
    """Lone surrogates, which JSON can spell and UTF-8 cannot, become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", errors="replace").decode("utf-8")
    if isinstance(value, list):
        return [_without_surrogates(element) for element in value]
    if isinstance(value, dict):
        return {str(_without_surrogates(k)): _without_surrogates(v) for k, v in value.items()}
    return value


def _children(folder: Path) -> list[Path]:
    """The files of a folder by name; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_file())
    except OSError:
        return []
