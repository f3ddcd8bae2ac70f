"""Measure text-to-picture retrieval on a folder of pictures with captions."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

_NAMED_SKIPPED = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument(
        "--images",
        type=Path,
        required=True,
        metavar="DIR",
        help="pictures with captions beside them (photo.txt, captions.csv, ...)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PACKAGE",
        help="a model package; by default the embedded demo model",
    )
    parser.add_argument(
        "--queries",
        type=Path,
        metavar="FILE",
        help='questions instead of the captions: [{"query": "...", "hits": ["path", ...]}]',
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE.png",
        help="draw queries and the pictures found for them",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand."""
    # The other subcommands do without the encoders, and start sooner without them.
    from build.evaluate import caption_queries, evaluate, read_pictures, read_queries
    from build.evaluation_sheet import draw_sheet
    from build.packages import DEMO_MODEL, open_package

    threads = os.cpu_count() or 1
    model = arguments.model or DEMO_MODEL
    package = open_package(model, text_threads=threads, picture_threads=threads)
    assert package.image_encoder is not None
    pictures = read_pictures(arguments.images, package.card, package.image_encoder)
    for line in pictures.skipped[:_NAMED_SKIPPED]:
        print(f"skipped: {line}", file=sys.stderr)
    if len(pictures.skipped) > _NAMED_SKIPPED:
        print(f"... and {len(pictures.skipped) - _NAMED_SKIPPED} more", file=sys.stderr)
    queries = (
        read_queries(arguments.queries, pictures)
        if arguments.queries
        else caption_queries(pictures)
    )
    token_ids = package.tokenizer.encode([query.text for query in queries])
    vectors = package.text_encoder.encode(token_ids)
    evaluation = evaluate(pictures, queries, vectors)
    print(f"{len(queries)} queries, {len(pictures.paths)} pictures\n")
    print(evaluation.table(package.card.name))
    if arguments.json:
        arguments.json.write_text(json.dumps(evaluation.as_json(), indent=2) + "\n", "utf-8")
    if arguments.sheet:
        draw_sheet(evaluation, pictures).save(arguments.sheet, "PNG")
    return 0
