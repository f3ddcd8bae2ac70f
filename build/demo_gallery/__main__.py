"""Make the demo gallery again: ``python -m build.demo_gallery``."""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from PIL import Image

from build.demo_gallery.credits import LICENCES, Credit, gcompris_credit, openclipart_credit
from build.demo_gallery.packages import PACKAGES, fetch
from build.demo_gallery.rendering import render
from build.errors import BuildError

SELECTION = Path(__file__).with_name("selection.csv")
COLUMNS = ("image_path", "caption", "kind", "title", "author", "licence", "source", "origin")


def main() -> int:
    """Fetch, select, scale and write; return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m build.demo_gallery", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo/gallery"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/demo_gallery"))
    arguments = parser.parse_args()
    try:
        make_gallery(arguments.output, arguments.cache)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def make_gallery(output: Path, cache: Path) -> None:
    """Write every selected image and ``captions.csv`` under ``output``.

    The theme folders of an earlier run are replaced; the README beside them stays.

    Raises:
        BuildError: a package cannot be had, or an image's licence is not established.
    """
    # Clip art is rendered large: some drawings are 13,000 pixels wide.
    Image.MAX_IMAGE_PIXELS = None
    with SELECTION.open(encoding="utf-8", newline="") as stream:
        selection = list(csv.DictReader(stream))
    for theme in {row["picture"].split("/")[0] for row in selection}:
        shutil.rmtree(output / theme, ignore_errors=True)
    rows = []
    total = 0
    for row in selection:
        package = PACKAGES[row["package"]]
        original = fetch(package, cache) / row["file"]
        credit = credit_of(row, original, cache)
        with Image.open(original) as image:
            suffix, content = render(image, drawn=row["kind"] == "drawing")
        image_path = row["picture"] + suffix
        target = output / image_path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        total += len(content)
        rows.append(
            {
                "image_path": image_path,
                "caption": row["caption"],
                "kind": row["kind"],
                "title": credit.title,
                "author": credit.author,
                "licence": credit.licence,
                "source": f"{package.label}: {row['file']}",
                "origin": credit.origin,
            }
        )
    rows.sort(key=lambda row: row["image_path"])
    with (output / "captions.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} images, {total / 1e6:.1f} MB, in {output}")


def credit_of(row: Mapping[str, str], original: Path, cache: Path) -> Credit:
    """The credit that the selection states, or else the package's own.

    A selection's row states it where the package says it in prose only (a docstring,
    a README, the licence of the whole package).  It states the title alone where the
    package's is a mere number or that of another drawing.
    """
    if row["licence"]:
        if row["licence"] not in LICENCES.values():
            raise BuildError(f"{row['picture']}: the gallery does not take {row['licence']}")
        return Credit(row["title"], row["author"], row["licence"])
    if row["package"] == "openclipart-png":
        svg = fetch(PACKAGES["openclipart-svg"], cache) / row["file"]
        credit = openclipart_credit(svg.with_suffix(".svg"))
    else:
        credit = gcompris_credit(original)
    return replace(credit, title=row["title"] or credit.title)


if __name__ == "__main__":
    sys.exit(main())
