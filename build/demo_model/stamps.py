"""The public evaluation set: Tux Paint's stamps with their captions.

Set A holds the stamps whose caption is the name of an emoji, set B all of them; a
stamp's caption is the English first line of the text beside it.  Left out are
``symbols/`` (letters, digits, coins) and mirrored copies.  The recipe never trains on
these images and never chooses by them.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from build.demo_gallery.packages import fetch
from build.demo_model.sources import NOTO_EMOJI, STAMPS
from build.demo_model.vector_art import render_svg

QUESTIONS = tuple(
    Path(__file__).with_name(name) for name in ("questions.json", "more_questions.json")
)
_RENDERED_WIDTH = 384


@dataclass(frozen=True)
class Stamp:
    """An image of the package and its caption."""

    source: Path
    name: str
    caption: str


def write_evaluation_sets(output: Path, cache: Path) -> dict[str, int]:
    """Write ``set-a``, ``set-b`` (images with text sidecars) and the questions.

    Returns:
        How many images each set has.
    """
    stamps = list_stamps(fetch(STAMPS, cache))
    emoji = json.loads((fetch(NOTO_EMOJI, cache) / "emoji.json").read_text("utf-8"))
    names = {_plain(entry["name"] or "") for entry in emoji}
    names |= {_plain(short) for entry in emoji for short in entry["short_names"]}
    sets = {
        "set-a": [stamp for stamp in stamps if _plain(stamp.caption) in names],
        "set-b": stamps,
    }
    for folder, members in sets.items():
        shutil.rmtree(output / folder, ignore_errors=True)
        for stamp in members:
            _write(stamp, output / folder / stamp.name)
    for file in QUESTIONS:
        shutil.copy(file, output / file.name)
    return {folder: len(members) for folder, members in sets.items()}


def list_stamps(root: Path) -> list[Stamp]:
    """The stamps under the package's root, in the order of their names."""
    stamps = []
    for source in sorted(root.rglob("*")):
        name = source.relative_to(root).as_posix()
        if source.suffix not in {".png", ".svg"} or "_mirror" in source.stem:
            continue
        if name.startswith("symbols/"):
            continue
        caption = source.with_suffix(".txt").read_text("utf-8").splitlines()[0].strip()
        # Some stamps exist twice, as PNG and as SVG.
        stamps.append(Stamp(source, name if source.suffix == ".png" else name + ".png", caption))
    return stamps


def _write(stamp: Stamp, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if stamp.source.suffix == ".svg":
        drawing = stamp.source.read_text("utf-8", errors="replace")
        target.write_bytes(render_svg(drawing, _RENDERED_WIDTH))
    else:
        shutil.copyfile(stamp.source, target)
    target.with_suffix(".txt").write_text(stamp.caption + "\n", "utf-8")


def _plain(caption: str) -> str:
    """Lower case, without article and punctuation: "A red apple." is "red apple"."""
    words = re.sub(r"^(an?|the|some|our)\s+", "", caption.lower().strip(" .!"))
    return " ".join(re.findall(r"[a-z0-9]+", words))
