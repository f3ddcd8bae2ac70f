"""WordNet's data files (``man 5 wndb``): words, what they mean, how they are used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Synset:
    """Words of one meaning, its definition, and sentences that use them.

    ``domain`` is the lexicographer's file: 5 animals, 6 artefacts, 13 food, 18 people,
    20 plants, ... (``man 5 lexnames``).
    """

    words: tuple[str, ...]
    domain: int
    definition: str
    examples: tuple[str, ...]

    @property
    def entry(self) -> str:
        """As a dictionary prints it: ``scissors: an edge tool having two ...``."""
        return f"{self.words[0]}: {self.definition}"


def read_synsets(root: Path, part_of_speech: str) -> list[Synset]:
    """The synsets of ``data.noun``, ``data.verb``, ``data.adj``."""
    synsets = []
    for line in (root / f"data.{part_of_speech}").read_text("utf-8").splitlines():
        if line.startswith("  "):
            continue
        head, _, gloss = line.partition(" | ")
        fields = head.split(" ")
        count = int(fields[3], 16)
        words = (re.sub(r"\(\w+\)$", "", word) for word in fields[4 : 4 + 2 * count : 2])
        parts = [part.strip() for part in gloss.split(";")]
        synsets.append(
            Synset(
                words=tuple(word.replace("_", " ") for word in words),
                domain=int(fields[1]),
                definition="; ".join(part for part in parts if not part.startswith('"')),
                examples=tuple(part.strip('" ') for part in parts if part.startswith('"')),
            )
        )
    return synsets
