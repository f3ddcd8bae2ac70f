"""Write all that a bundle knows of its images into files that other programs read.

Embeddings, ids, paths, captions, alt texts, metadata, and where each of them comes from. The npy
form can be indexed again: `python -m build index --embeddings OUTPUT/embeddings.npy --paths
OUTPUT/paths.txt --model PACKAGE`.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument(
        "--to",
        choices=("npy", "parquet"),
        required=True,
        help="npy: embeddings.npy, paths.txt and items.jsonl; parquet: items.parquet "
        "(the extra `parquet`)",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="a new folder for the files"
    )


def run(arguments: argparse.Namespace) -> int:
    """Open the bundle, checked, and write the files."""
    from build.unpack import unpack
    from models.bundle import Bundle

    bundle = Bundle.open(arguments.bundle)
    try:
        unpack(bundle, arguments.output, arguments.to)
    finally:
        bundle.close()
    print(f"{arguments.output} has {len(bundle.items)} images")
    return 0
