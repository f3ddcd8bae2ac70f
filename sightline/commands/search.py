"""Find pictures by describing them: their paths, best first, one a line.

    sightline search "a red fox" -k 20 | xargs -d '\n' cp -t ~/foxes

What the service answers to POST /search is found here without one.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from build.errors import BuildError
from sightline import bundles


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("query", help="what the pictures show")
    parser.add_argument("--bundle", type=Path, help="default: the one used last")
    parser.add_argument("-k", type=int, metavar="N", help="how many pictures; default 5")
    parser.add_argument(
        "--json", action="store_true", help="print the answer as POST /search gives it"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what is found; the exit code is 0, whatever that is."""
    # Here, since they take as long to import as a search takes.
    from pydantic import ValidationError
    from pydantic_core import to_json

    from models.bundle import Bundle
    from serving.answer import result_fields
    from serving.engine import Engine
    from serving.errors import RequestError
    from serving.metrics import Metrics
    from serving.settings import Settings
    from serving.wire import SearchRequest

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
    finally:
        engine.close()
    if arguments.json:
        print(to_json(fields).decode())
    else:
        root = Path(settings.images or bundle.manifest.picture_root or "")
        for result in fields["results"]:
            print(root / result["image_path"])
    return 0
