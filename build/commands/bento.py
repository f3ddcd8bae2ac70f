"""Put a bundle into the BentoML model store and build a bento of it.

The bento serves from any folder (`bentoml serve TAG`) and becomes an image with
`make image` or `bentoml containerize TAG`.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument(
        "--bundle",
        type=Path,
        help="the bundle to carry; without, SIGHTLINE_BUNDLE says at the start where it is",
    )
    parser.add_argument(
        "--without-image-encoder",
        action="store_true",
        help="leave the image encoder out: smaller, and no /search_by_image",
    )
    more = parser.add_mutually_exclusive_group()
    more.add_argument(
        "--milvus",
        action="store_true",
        help="with what it takes to search in Milvus: SIGHTLINE_COLLECTION",
    )
    more.add_argument(
        "--remote",
        action="store_true",
        help="with what it takes to fetch a bundle from https://, s3:// or gs://",
    )


def run(arguments: argparse.Namespace) -> int:
    """Store the bundle, build the bento, and say what can be done with it."""
    from build.bento import build_bento, store_bundle
    from build.errors import BuildError
    from models.installation import image_command

    bundle = None
    if arguments.bundle:
        bundle = store_bundle(
            arguments.bundle, with_image_encoder=not arguments.without_image_encoder
        )
        print(f"bundle  {bundle.tag}")
    elif arguments.without_image_encoder:
        raise BuildError("--without-image-encoder needs --bundle: nothing else has the encoder.")
    bento = build_bento(bundle, remote=arguments.remote, milvus=arguments.milvus)
    print(f"bento   {bento}")
    print(f"\nserve it:  bentoml serve {bento}\nimage:     {image_command(str(bento))}")
    return 0
