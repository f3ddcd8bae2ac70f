"""Put a bundle into the BentoML model store and build a bento of it.

The bento serves from any folder (`bentoml serve TAG`) and becomes an image with
`bentoml containerize TAG`.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle to carry")


def run(arguments: argparse.Namespace) -> int:
    """Store the bundle, build the bento, and say what can be done with it."""
    from build.bento import build_bento, store_bundle

    model = store_bundle(arguments.bundle)
    bento = build_bento()
    print(f"bundle  {model}\nbento   {bento}")
    print(f"\nserve it:  bentoml serve {bento}\nimage:     bentoml containerize {bento}")
    return 0
