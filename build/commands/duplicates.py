"""List what looks alike in a bundle: copies, other sizes, cuttings, bursts.

A line of CSV for each image of each group: the largest first, which is the one to keep, then
those that are like it, with the cosine of each to the first. Nothing is deleted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# Which copies of the gallery's images are found by it, and which not: docs/relevance.md.
_USUAL = 0.95


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument(
        "--fold",
        type=_cosine,
        default=_USUAL,
        metavar="COSINE",
        help="how alike to the first of its group an image is at least, above 0 and up to 1; "
        "by default 0.95, as for a search",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE.csv", help="write the list here, not to stdout"
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.html", help="a page that shows the groups"
    )


def run(arguments: argparse.Namespace) -> int:
    """Open the bundle, compare its images, and write what was found."""
    from build.duplicates import find_duplicates, members, write_csv
    from build.duplicates_sheet import MOST_GROUPS, write_sheet
    from build.errors import BuildError
    from models.bundle import Bundle

    bundle = Bundle.open(arguments.bundle)
    try:
        if bundle.looks is None:
            print(
                f"warning: {arguments.bundle} has no looks (looks.bin), so that images of the "
                "same thing pass for copies: build it again from its images",
                file=sys.stderr,
            )
        groups = find_duplicates(bundle, arguments.fold)
        try:
            if arguments.output is None:
                write_csv(sys.stdout, members(bundle, groups))
            else:
                with arguments.output.open("w", encoding="utf-8", errors="replace") as stream:
                    write_csv(stream, members(bundle, groups))
            if arguments.sheet is not None:
                with arguments.sheet.open("w", encoding="utf-8") as stream:
                    first = members(bundle, groups[:MOST_GROUPS])
                    write_sheet(stream, first, len(groups), bundle.thumbnail)
        except OSError as error:
            name = error.filename or "the list"
            raise BuildError(f"{name} cannot be written: {error.strerror}.") from None
    finally:
        bundle.close()
    folded = sum(map(len, groups)) - len(groups)
    print(
        f"{len(groups)} groups: {folded} images look like another one of the {len(bundle.items)}",
        file=sys.stderr,
    )
    return 0


def _cosine(written: str) -> float:
    """A number above 0 and up to 1."""
    try:
        cosine = float(written)
    except ValueError:
        cosine = 0.0
    if not 0 < cosine <= 1:
        raise argparse.ArgumentTypeError(f"{written!r} is no cosine above 0 and up to 1")
    return cosine
