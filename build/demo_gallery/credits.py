"""Who made an image and under which licence, as its own package says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from build.errors import BuildError

_DC = "{http://purl.org/dc/elements/1.1/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_CC = "{http://web.resource.org/cc/}"
_README_FIELD = re.compile(r"(Copyright|License|Source|Files|Comments?):\s*(.*)")
_MAIL = re.compile(r"[\s(<-]*(?:email: *)?\S+@\S+[)>]?")
_IMAGE_NAME = re.compile(r"\S+\.webp$")

#: The licences that the gallery takes, by the spellings that the packages use.
LICENCES = {
    "public domain": "public domain",
    "cc0-1.0": "CC0-1.0",
    "cc-by-2.0": "CC-BY-2.0",
    "cc-by 2.0": "CC-BY-2.0",
    "cc-by-3.0": "CC-BY-3.0",
    "cc-by-4.0": "CC-BY-4.0",
    "mit": "MIT",
}


@dataclass(frozen=True)
class Credit:
    """Title, author, licence and, where the package names it, the page of origin."""

    title: str
    author: str
    licence: str
    origin: str = ""


def openclipart_credit(svg: Path) -> Credit:
    """Read the RDF block of an Open Clip Art Library drawing.

    Raises:
        BuildError: the block lacks a title, an author, or the public domain dedication.
    """
    root = ElementTree.parse(svg).getroot()
    work = root.find(f".//{_CC}Work")
    if work is None:
        raise BuildError(f"{svg} has no RDF metadata")
    title = _text(work.find(f"{_DC}title"))
    author = next(
        (
            name
            for role in ("creator", "publisher")
            for holder in work.findall(f"{_DC}{role}")
            for name in map(_text, holder.iter(f"{_DC}title"))
            if name
        ),
        "",
    )
    licences = [element.get(f"{_RDF}resource") or "" for element in work.iter(f"{_CC}license")]
    if not title or not author or not any("PublicDomain" in licence for licence in licences):
        raise BuildError(f"{svg} does not say its title, author and public domain dedication")
    # Some titles are "Clipart by AUTHOR - TITLE".
    title = title.removeprefix(f"Clipart by {author} - ")
    return Credit(title[:1].upper() + title[1:], author, "public domain")


def gcompris_credit(image: Path) -> Credit:
    """Read what the README beside a GCompris image says of it.

    Debian's copyright file is older than the images; the READMEs are upstream's own.

    Raises:
        BuildError: there is no README, or it names no licence that the gallery takes.
    """
    folder = image.parent
    while not (folder / "README").exists():
        if folder.name in ("activities", ""):
            raise BuildError(f"{image} has no README beside it")
        folder = folder.parent
    name = image.relative_to(folder).as_posix()
    for paragraph in re.split(r"\n\s*\n", (folder / "README").read_text(encoding="utf-8")):
        fields: dict[str, list[str]] = {}
        current = ""
        for line in map(str.strip, paragraph.splitlines()):
            if match := _README_FIELD.match(line):
                current, line = match.groups()
            if _IMAGE_NAME.match(line) and current != "Source":
                fields.setdefault("Files", []).append(line)  # some READMEs forget "Files:"
            elif line:
                fields.setdefault(current, []).append(line)
        if name in fields.get("Files", []):
            origin = " ".join(fields.get("Source", []))
            licence = LICENCES.get(" ".join(fields.get("License", [])).lower())
            if licence is None:
                raise BuildError(f"{image} has no licence that the gallery takes")
            author = re.sub(r"Copyright\s+", "", "; ".join(fields.get("Copyright", []))).strip()
            return Credit(_title_of(origin) or image.stem, author, licence, origin)
    raise BuildError(f"the README of {image} does not name it")


def _title_of(origin: str) -> str:
    """The title in a Wikimedia Commons address: the file's name in words."""
    _, found, name = origin.partition("/wiki/File:")
    return unquote(name).rpartition(".")[0].replace("_", " ") if found else ""


def _text(element: ElementTree.Element | None) -> str:
    """The element's words, without the mail addresses that some authors left there."""
    words = "" if element is None else " ".join("".join(element.itertext()).split())
    return _MAIL.sub("", words).strip()
