"""How long it takes to look up words that people say of images.

    python -m benchmarks.words [--images 1000000] [--keep FOLDER]

Makes captions, names, places, keywords and paths whose words are as unevenly frequent as those of
a language (Zipf: the second half as often as the first), writes them as a bundle has them, and
looks up queries of many kinds, each with words that one of the images has.  Prints a table: of
each kind the median and the 90th percentile in milliseconds, on the clock and of a processor.  The
file is in the system's cache.  With ``--keep`` the file stays, and is used again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.checksums import record_files
from models.database import Database
from models.file_names import ITEMS
from models.folder import Folder
from models.item_writer import write_items
from models.items import Item, ItemStore, item_id

_CAPTION = 60_000
_FIRST_NAMES = 400
_LAST_NAMES = 20_000
_PLACES = 3_000
_KEYWORDS = 5_000
_WORDS = (6, 14)
_KEYWORDS_EACH = 4
_FOLDERS = 500
_QUERIES = 100
_ROUNDS = 3
# A service gives up before; here nothing is left out.
_SECONDS = 600
# Shares of all images that have a word.
_FREQUENT = 0.05
_RARE = 0.0005
_NOBODY_SAYS = "qqq"
_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]

Ranks = NDArray[np.int64]
Milliseconds = NDArray[np.float64]
Ask = Callable[[int], str | None]


class Said:
    """What is said of each image, as ranks of words: the lower the more frequent.

    Args:
        images: how many there are.
    """

    def __init__(self, images: int) -> None:
        chance = np.random.default_rng(0)
        self.images = images
        self.lengths = chance.integers(*_WORDS, images)
        self.captions = _zipf(chance, _CAPTION, (images, _WORDS[1]))
        self.first_names = _zipf(chance, _FIRST_NAMES, (images,))
        self.last_names = _zipf(chance, _LAST_NAMES, (images,))
        self.places = _zipf(chance, _PLACES, (images,))
        self.keywords = _zipf(chance, _KEYWORDS, (images, _KEYWORDS_EACH))
        self.folders = chance.integers(0, _FOLDERS, images)
        counts = np.bincount(self.captions.ravel(), minlength=_CAPTION)
        self.share = counts / images

    def caption(self, image: int) -> list[int]:
        """The words of a caption."""
        ranks: list[int] = self.captions[image, : self.lengths[image]].tolist()
        return ranks

    def name(self, image: int) -> str:
        """Whose image it is."""
        first, last = int(self.first_names[image]), int(self.last_names[image])
        return f"{_word(first, 'n').title()} {_word(last, 's').title()}"

    def items(self) -> Iterator[Item]:
        """All of them as a bundle has them."""
        for image in range(self.images):
            path = f"{2000 + self.folders[image] % 25}/roll{self.folders[image]}/IMG_{image:07}.jpg"
            caption = " ".join(map(_word, self.caption(image)))
            yield Item(
                position=image,
                id=item_id(path),
                image_path=path,
                width=1,
                height=1,
                caption=caption,
                alt_text=caption,
                metadata={
                    "creator": self.name(image),
                    "city": _word(int(self.places[image]), "c").title(),
                    "keywords": [_word(rank, "k") for rank in self.keywords[image].tolist()],
                },
                sources={"caption": "iptc"},
            )


def _kinds(said: Said) -> dict[str, Ask]:
    """Of each kind of query how one is made of what is said of an image, None where it cannot."""

    def some(image: int, least: float, most: float, count: int) -> str | None:
        found = [one for one in said.caption(image) if least <= said.share[one] < most]
        found = list(dict.fromkeys(found))[:count]
        return " ".join(map(_word, found)) if len(found) == count else None

    def quoted(image: int, least: float, most: float) -> str | None:
        caption = said.caption(image)
        for pair in pairwise(caption):
            if all(least <= said.share[one] < most for one in pair):
                return f'"{_word(pair[0])} {_word(pair[1])}"'
        return None

    def with_name(image: int, least: float, most: float) -> str | None:
        thing = some(image, least, most, 1)
        return thing and f"{thing} {said.name(image).split()[1]}"

    return {
        "a rare word": lambda image: some(image, 0, _RARE, 1),
        "a word": lambda image: some(image, _RARE, _FREQUENT, 1),
        "a frequent word": lambda image: some(image, _FREQUENT, 1, 1),
        "a rare and a frequent word": lambda image: (
            (rare := some(image, 0, _RARE, 1))
            and (often := some(image, _FREQUENT, 1, 1))
            and f"{often} {rare}"
        ),
        "two words": lambda image: some(image, _RARE, _FREQUENT, 2),
        "three frequent words": lambda image: some(image, _FREQUENT, 1, 3),
        "all words of a caption": lambda image: " ".join(map(_word, said.caption(image))),
        "a name of two words": lambda image: said.name(image),
        "the most frequent first name": lambda image: (
            said.name(image) if not said.first_names[image] else None
        ),
        "a thing and a name": lambda image: with_name(image, _RARE, _FREQUENT),
        "a frequent thing and a name": lambda image: with_name(image, _FREQUENT, 1),
        "a name, and what nobody says": lambda image: f"{_NOBODY_SAYS} by {said.name(image)}",
        "a place": lambda image: _word(int(said.places[image]), "c"),
        "a keyword and a place": lambda image: (
            f"{_word(int(said.keywords[image, 0]), 'k')} {_word(int(said.places[image]), 'c')}"
        ),
        "a file's name": lambda image: f"IMG_{image:07}",
        "quoted, two words": lambda image: quoted(image, 0, _FREQUENT),
        "quoted, two frequent words": lambda image: quoted(image, _FREQUENT, 1),
        "a beginning of three letters": lambda image: _word(said.caption(image)[0])[:3] + "*",
        "a beginning of two letters": lambda image: _word(said.caption(image)[0])[:2] + "*",
        "a beginning and a name": lambda image: (
            f"{_word(said.caption(image)[0])[:3]}* {said.name(image).split()[1]}"
        ),
    }


def _queries(ask: Ask, images: int) -> list[str]:
    chance = np.random.default_rng(1)
    found: list[str] = []
    for image in chance.permutation(images).tolist():
        query = ask(image)
        if query is not None:
            found.append(query)
            if len(found) == _QUERIES:
                break
    return found


def _time(store: ItemStore, queries: list[str]) -> Milliseconds:
    """What each takes on the clock and of a processor, ``[2, n]``: the least of some rounds."""
    clock, processor = [], []
    for _ in range(_ROUNDS):
        for query in queries:
            began, computed = time.perf_counter(), time.process_time()
            store.named(query, seconds=_SECONDS)
            processor.append(1e3 * (time.process_time() - computed))
            clock.append(1e3 * (time.perf_counter() - began))
    least: Milliseconds = np.reshape([clock, processor], (2, _ROUNDS, -1)).min(axis=1)
    return least


def _zipf(chance: np.random.Generator, words: int, shape: tuple[int, ...]) -> Ranks:
    weights = np.cumsum(1 / np.arange(1, words + 1))
    drawn: Ranks = np.searchsorted(weights, chance.random(shape) * weights[-1])
    return np.minimum(drawn, words - 1)


def _word(rank: int, kind: str = "") -> str:
    """A word of its own for each rank and kind."""
    # Neighbours in rank do not begin alike.
    number = rank * 7919 % 1_000_003 + 4900
    letters = []
    while number:
        number, syllable = divmod(number, len(_SYLLABLES))
        letters.append(_SYLLABLES[syllable])
    return "".join(letters) + kind


def main() -> None:
    """Write the file, look up, print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.words", description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    said = Said(arguments.images)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ITEMS).exists():
            write_items(folder / ITEMS, said.items())
        files = Folder(folder)
        files.open(record_files(folder, [ITEMS]))
        store = ItemStore(Database(files, ITEMS))
        size = (folder / ITEMS).stat().st_size
        print(f"{len(store):,} images, items.sqlite of {size / 2**20:,.0f} MiB\n")
        print("| query | ms on the clock | 90 % | ms of a processor | 90 % |")
        print("|---|---:|---:|---:|---:|")
        for kind, ask in _kinds(said).items():
            queries = _queries(ask, arguments.images)
            took = np.percentile(_time(store, queries), [50, 90], axis=1).T.ravel()
            print(f"| {kind} | {' | '.join(f'{each:.2f}' for each in took)} |")
        store.close()


if __name__ == "__main__":
    main()
