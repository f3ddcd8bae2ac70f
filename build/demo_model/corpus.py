"""The training images: drawings with names, keywords and definitions.

What different hands have drawn of one thing is one *concept*: all its images share its
texts.  Images that the demo's gallery shows are left out, so that a search of the
gallery is a search among images the model has never seen.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from build.demo_gallery.packages import Package, fetch
from build.demo_model import sources
from build.demo_model.icons import Icons, render
from build.demo_model.wordnet import Synset

# Signs, buttons, computer symbols and corner ornaments show nothing that one would name.
_NOTHING_TO_NAME = {
    *("shapes", "computer", "signs_and_symbols", "special", "buttons", "logos", "unsorted"),
    *("decorations", "cards"),
}
_NO_KEYWORD = {
    *("hash", "unsorted", "clip art", "clipart", "image", "media", "public domain", "png"),
    *("svg", "externalsource", ""),
}
_NO_NAME = {"svg road signs", "card", ""}
# Emoji groups: skin tones and hair, symbols.
_LEFT_OUT_GROUPS = {None, 2, 8}
# WordNet's domains of what cannot be seen: acts, attributes, feelings, relations, ...
_UNSEEN_DOMAINS = {4, 7, 9, 10, 12, 22, 24, 25, 26, 28}


@dataclass(frozen=True)
class CorpusImage:
    """A training image: its PNG or WebP, the key of its concept, where it is from."""

    path: Path
    concept: str
    source: str


@dataclass
class Concept:
    """What is said of one thing; ``definition`` and ``descriptions`` are added later."""

    names: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    definition: Synset | None = None
    descriptions: list[str] = field(default_factory=list)

    def add(self, names: list[str], keywords: list[str]) -> None:
        """Join what another image of the thing is called."""
        self.names += [name for name in names if name not in self.names]
        self.keywords += [word for word in keywords if word not in self.keywords]

    @property
    def is_flag(self) -> bool:
        """Flags are a third of the emoji, and of little use as answers."""
        return self.names[0].startswith("flag of ")

    def headline(self, keywords: int) -> str:
        """The first name and some keywords, as one text."""
        return ", ".join([self.names[0], *self.keywords[:keywords]])

    def texts(self) -> list[str]:
        """Every text that the concept's images are trained with; the first is its name."""
        texts = self.names[:3]
        if self.keywords:
            texts = [*texts, self.headline(6)]
        if self.definition is not None:
            meaning = self.definition.definition
            texts = [*texts, f"{self.names[0]}: {meaning}", meaning]
        return texts + self.descriptions


def read_corpus(cache: Path, gallery: Path) -> tuple[list[CorpusImage], dict[str, Concept]]:
    """Fetch, render and name every training image.

    Args:
        cache: where packages are unpacked and drawings rendered (once).
        gallery: the demo's gallery, whose ``captions.csv`` says what to leave out.
    """
    shown = _shown_in(gallery)
    images: list[CorpusImage] = []
    concepts: dict[str, Concept] = defaultdict(Concept)
    for image, names, keywords in _everything(cache, shown):
        images.append(image)
        concepts[image.concept].add(names, keywords)
    return images, dict(concepts)


def _shown_in(gallery: Path) -> set[str]:
    """``package: path without suffix`` of the gallery's images."""
    with (gallery / "captions.csv").open(encoding="utf-8", newline="") as table:
        rows = [row["source"].partition(": ") for row in csv.DictReader(table)]
    return {
        f"{package.split(' ')[0]}: {path.rpartition('.')[0]}".replace("-png: ", "-svg: ")
        for package, _, path in rows
    }


_Named = tuple[CorpusImage, list[str], list[str]]


def _everything(cache: Path, shown: set[str]) -> Iterator[_Named]:
    yield from _clip_art(cache, shown)
    emoji = _EmojiNames(fetch(sources.EMOJI_NAMES, cache))
    yield from _noto(cache, emoji)
    fluent = sources.FLUENT_EMOJI_3D
    for path in sorted(fetch(fluent, cache).iterdir()):
        if f"{fluent.name}: {path.stem}" not in shown:
            yield from emoji.named(path.stem, path, fluent.name)
    for package in sources.EMOJI_ICONS:
        yield from _emoji_icons(package, cache, emoji)
    for package in sources.NAMED_ICONS:
        icons = Icons(package, cache)
        for icon in icons.names:
            name = _words(icon)
            if name and "abstract" not in name:
                yield CorpusImage(icons.render(icon), f"icon:{name}", package.name), [name], []


def _clip_art(cache: Path, shown: set[str]) -> Iterator[_Named]:
    root = fetch(sources.CLIP_ART, cache)
    seen: set[str] = set()
    for path in sorted(root.rglob("*.svg")):
        relative = path.relative_to(root)
        name = relative.with_suffix("").as_posix()
        if _NOTHING_TO_NAME & set(relative.parts):
            continue
        text = path.read_text("utf-8", errors="replace")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest in seen or f"{sources.CLIP_ART.name}: {name}" in shown:
            continue
        seen.add(digest)
        names, keywords = _clip_art_names(relative, text)
        rendered = cache / "rendered" / "openclipart" / (name.replace("/", "__") + ".png")
        if names and render(text, rendered):
            yield CorpusImage(rendered, f"clip:{names[0]}", "openclipart"), names, keywords


def _clip_art_names(relative: Path, text: str) -> tuple[list[str], list[str]]:
    titles = [title.strip() for title in re.findall(r"<dc:title>([^<]*)</dc:title>", text)]
    keywords = [_words(word) for word in re.findall(r"<rdf:li>([^<]*)</rdf:li>", text)]
    # All titles but the first name the author and the library; file names hold them, too,
    # often cut short.
    authors = {word for title in titles[1:] for word in _words(title).split()}
    authors |= {"clip", "art", "library", "project", "open"}
    plain = {"bw", "ganson", "simple", "symbol"}

    def without_authors(name: str) -> str:
        return " ".join(
            word
            for word in _words(name).split()
            if word not in authors | plain
            and not (len(word) >= 3 and any(author.startswith(word) for author in authors))
        )

    title = re.sub(r"^clipart by .* - ", "", titles[0].lower()) if titles else ""
    stem = without_authors(relative.stem)
    if "roadsigns" in relative.parts and stem:
        stem += " road sign"
    names = [name for name in (without_authors(title), stem) if name not in _NO_NAME]
    names = [name for name in dict.fromkeys(names) if len(name) > 2]
    folders = [_words(folder) for folder in relative.parts[:-1]]
    keywords = [
        word
        for word in dict.fromkeys(keywords + folders)
        if len(word) > 2 and word not in _NO_KEYWORD and word not in names
    ]
    if not names and keywords:
        names = [" ".join(keywords[:3])]
    return names, keywords


class _EmojiNames:
    """Names and keywords of the emoji by their code points."""

    def __init__(self, folder: Path) -> None:
        self._names: dict[str, tuple[list[str], list[str]]] = {}
        self._code_of_label: dict[str, str] = {}
        for entry in json.loads((folder / "data.json").read_text("utf-8")):
            label = entry["label"].lower()
            self._code_of_label[_letters(label)] = entry["hexcode"]
            if entry.get("group") in _LEFT_OUT_GROUPS:
                continue
            if label.startswith("flag: "):
                land = label.removeprefix("flag: ")
                known = ([f"flag of {land}"], [land, "flag", "country flag"])
            else:
                known = ([label.replace(":", " ")], [tag.lower() for tag in entry.get("tags", [])])
            self._names[_code(entry["hexcode"])] = known

    def named(self, code: str, path: Path, source: str) -> Iterator[_Named]:
        """The image with its texts; nothing if the emoji is left out."""
        known = self._names.get(_code(code))
        if known is not None:
            yield CorpusImage(path, f"emoji:{_code(code)}", source), *known

    def code_of(self, icon: str) -> str | None:
        """The code points of an icon that is called like an emoji."""
        name = re.sub(r"-\d$", "", icon).replace("flag-for-flag-", "flag-")
        return self._code_of_label.get(_letters(name.replace("flag-for-", "flag-")))


def _noto(cache: Path, emoji: _EmojiNames) -> Iterator[_Named]:
    root = fetch(sources.NOTO_EMOJI, cache)
    for entry in json.loads((root / "emoji.json").read_text("utf-8")):
        path = root / "img" / "google" / "64" / entry["image"]
        if not entry.get("has_img_google") or not path.exists():
            continue
        for image, names, keywords in emoji.named(entry["unified"], path, "noto"):
            short = [re.sub(r"[_-]", " ", name) for name in entry["short_names"]]
            if names[0].startswith("flag of "):
                short = []
            more = [name for name in short if not any(map(str.isdigit, name))]
            yield image, [*names, *(name for name in more if name not in names)], keywords


def _emoji_icons(package: Package, cache: Path, emoji: _EmojiNames) -> Iterator[_Named]:
    icons = Icons(package, cache)
    codes = {icon: code for code, icon in reversed(icons.characters.items())}
    if not codes:
        named = {icon: emoji.code_of(icon) for icon in icons.names}
        codes = {icon: code for icon, code in named.items() if code}
    for icon, code in codes.items():
        if icon in icons.names:
            for found in emoji.named(code, Path(), package.name):
                image = CorpusImage(icons.render(icon), found[0].concept, package.name)
                yield image, found[1], found[2]


def _words(text: str) -> str:
    """Lower case words, without those that have a digit in them."""
    text = re.sub(r"\b\w*\d\w*\b", " ", re.sub(r"[_\-/]+", " ", text))
    return " ".join(text.lower().split())


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _code(code: str) -> str:
    return code.upper().replace("-FE0F", "")


def senses(concept: Concept, meanings: dict[str, list[Synset]]) -> list[Synset]:
    """The synsets that could define the concept, by its first three names."""
    return [synset for name in concept.names[:3] for synset in _look_up(name, meanings)][:8]


def visible_meanings(synsets: list[Synset]) -> dict[str, list[Synset]]:
    """Synsets of things that can be seen, by each of their words."""
    meanings: dict[str, list[Synset]] = defaultdict(list)
    for synset in synsets:
        if synset.domain not in _UNSEEN_DOMAINS:
            for word in synset.words:
                meanings[word.lower()].append(synset)
    return meanings


def _look_up(name: str, meanings: dict[str, list[Synset]]) -> list[Synset]:
    name = re.sub(r"^(a|an|the|two|some) ", "", name)
    singulars = [
        name.removesuffix(ending) + stem
        for ending, stem in (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""))
        if name.endswith(ending)
    ]
    bare, _, last = name.rpartition(" ")
    shown = [bare] if last in {"face", "symbol", "sign", "button", "head"} else []
    for word in (name, *singulars, *shown):
        if word in meanings:
            return meanings[word]
    return []
