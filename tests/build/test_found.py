"""The gallery's questions, asked of its bundle: words beside looks find more, and cost nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from build.evaluate_bundle import embed, search
from models.bundle import Bundle

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PHRASES = """
a dog, a red fox, two cats, bee on a flower, a castle by a lake, an old windmill,
a bridge at night, a snowy mountain, fireworks in the sky, a bowl of soup, a slice of pizza,
birthday cake with candles,
a woman reading a book, a man with a beard, children in a boat, a rocket taking off, an ambulance,
the planet Saturn, an electric guitar, musicians on a stage, a pair of scissors, a yellow taxi,
a steam train, a hot air balloon, a Christmas tree, a palm tree on an island, fish in the sea,
a sleeping cat, the Eiffel Tower, a pyramid in the desert
"""
DRESSES = ['"{}"', "“{}”", "«{}»", "‘{}’", "{}.", "{}?", "{} ..."]


def evaluated(bundle: Path, folder: Path, *options: str) -> tuple[str, dict[str, dict]]:
    """What the command prints and writes of the gallery's questions."""
    command = [sys.executable, "-m", "build", "evaluate", str(bundle)]
    given = ["--questions", "demo/questions.jsonl", "--json", str(folder / "figures.json")]
    done = subprocess.run(
        [*command, *given, *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout, json.loads((folder / "figures.json").read_text("utf-8"))["kinds"]


def test_words_find_more_and_take_nothing_from_descriptions(
    demo_bundle: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.html"
    printed, kinds = evaluated(demo_bundle, tmp_path, "--split", "test", "--sheet", str(sheet))
    assert printed.startswith("159 questions, 711 images")
    assert "✓ sought" in sheet.read_text("utf-8")

    def recall(kind: str, way: str) -> float:
        value: float = kinds[kind]["ways"][way]["recall_at"]["5"]["value"]
        return value

    assert recall("all", "auto") >= recall("all", "image") + 0.15
    assert recall("description", "auto") >= recall("description", "image") - 0.01


@pytest.fixture(scope="module")
def opened(demo_bundle: Path) -> Iterator[Bundle]:
    with closing(Bundle.open(demo_bundle)) as bundle:
        yield bundle


def test_a_dress_changes_nothing(opened: Bundle) -> None:
    phrases = [" ".join(phrase.split()) for phrase in PHRASES.split(",")]
    assert len(phrases) == 30

    def first(texts: list[str]) -> list[list[int]]:
        found = search(opened, texts, embed(opened, texts), "image")
        return [[one.position for one in best[:5]] for best in found]

    plain = first(phrases)
    dressed = [[dress.format(phrase) for phrase in phrases] for dress in DRESSES]
    dressed.append([phrase.upper() for phrase in phrases])
    same = [
        one == other for texts in dressed for one, other in zip(first(texts), plain, strict=True)
    ]
    assert len(same) == 240
    assert np.mean(same) >= 0.95
