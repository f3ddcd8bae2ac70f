"""Find images by describing them: their paths, best first, one a line.

    sightline search "a red fox" -k 20 | xargs -d '\n' cp -t ~/foxes

What the service answers to POST /search is found here without one.  In a terminal a small image
stands above each path, as well as the terminal can show one; in a pipe there are paths alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from build.errors import BuildError
from sightline import bundles


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("query", help="what the images show")
    parser.add_argument("--bundle", type=Path, help="default: the one used last")
    parser.add_argument("-k", type=int, metavar="N", help="how many images; default 5")
    parser.add_argument(
        "--json", action="store_true", help="print the answer as POST /search gives it"
    )
    parser.add_argument("--no-previews", action="store_true", help="paths alone in a terminal, too")


def run(arguments: argparse.Namespace) -> int:
    """Print what is found; the exit code is 0, whatever that is."""
    # Here, since they take as long to import as a search takes.
    from pydantic import ValidationError
    from pydantic_core import to_json

    from models.bundle import Bundle
    from models.images import decode
    from models.modes import on_white
    from serving.answer import result_fields
    from serving.engine import Engine
    from serving.errors import RequestError
    from serving.metrics import Metrics
    from serving.settings import Settings
    from serving.wire.requests import SearchRequest
    from sightline.previews import preview_for

    asked = {"query": arguments.query, "k": arguments.k}
    try:
        request = SearchRequest(
            **{name: value for name, value in asked.items() if value is not None}
        )
    except ValidationError as error:
        raise BuildError(RequestError.from_validation(error).message) from None
    settings = Settings.load()
    bundle = Bundle.open(arguments.bundle or Path(bundles.last()), threads=settings.threads)
    engine = Engine(bundle, settings, Metrics(), closes_bundle=True)
    try:
        fields = result_fields(asyncio.run(engine.search(request)), engine)
        if arguments.json:
            print(to_json(fields).decode())
            return 0
        wanted = sys.stdout.isatty() and not arguments.no_previews
        preview = preview_for(os.environ) if wanted else None
        root = Path(settings.images or bundle.manifest.image_root or "")
        for result in fields["results"]:
            item = bundle.items.find(result["id"]) if preview else None
            small = bundle.thumbnail(item) if item else None
            if preview and small:
                print(preview(on_white(decode(small))), end="")
            print(root / result["image_path"])
    finally:
        engine.close()
    return 0
