"""Put a bundle's images into Milvus, where the service then searches (docs/scale.md).

What is there just so already is not written again: a load that was stopped goes on, and one of a
newer bundle writes what has changed. The environment variable SIGHTLINE_COLLECTION_TOKEN has the
password, where the server asks for one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from models.milvus.address import Address


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument(
        "--to",
        type=_address,
        required=True,
        metavar="ADDRESS",
        help="milvus+http://HOST:19530/NAME, milvus+https://… or milvus+file:///PATH.db",
    )
    parser.add_argument(
        "--index-kind",
        choices=("flat", "hnsw", "diskann"),
        help="of a new collection's index; flat up to 100,000 images, else hnsw",
    )
    parser.add_argument(
        "--service",
        type=Path,
        metavar="FOLDER",
        help="write there what the service before Milvus needs: the encoders, and no images",
    )


def run(arguments: argparse.Namespace) -> int:
    """Open the bundle, checked, and write its images."""
    from build.load import load, write_front
    from models.bundle import Bundle

    bundle = Bundle.open(arguments.bundle)
    try:
        token = os.environ.get("SIGHTLINE_COLLECTION_TOKEN")
        loaded = load(bundle, arguments.to, token, arguments.index_kind)
        if arguments.service:
            write_front(bundle, arguments.service)
    finally:
        bundle.close()
    print(
        f"{arguments.to} has {loaded.written + loaded.kept} images: {loaded.written} written, "
        f"{loaded.kept} there already, {loaded.removed} removed"
    )
    return 0


def _address(given: str) -> Address:
    try:
        return Address.parse(given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
