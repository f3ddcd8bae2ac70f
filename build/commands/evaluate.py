"""Measure what a bundle's search finds, or what a model finds of captioned images.

Of a bundle: its own index and words are asked as users ask them, and what looks, words and both
together find stands in one table, with intervals of 95 %.  Of a folder, `--images`: its images
are embedded anew, and found by their captions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from build.evaluation_sheet import Row

_NAMED_SKIPPED = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("bundle", type=Path, nargs="?", metavar="BUNDLE", help="what is searched")
    parser.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="asked of the bundle instead of its captions, a line each: "
        '{"question": "...", "kind": "...", "hits": ["path", ...]}',
    )
    parser.add_argument(
        "--split",
        choices=("tune", "test"),
        help="one half of the questions: that by which weights are chosen, or the other",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="instead of a bundle, images with captions beside them (photo.txt, ...)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PACKAGE",
        help="with --images: a model package; by default the embedded demo model",
    )
    parser.add_argument(
        "--queries",
        type=Path,
        metavar="FILE",
        help="with --images: questions instead of the captions: "
        '[{"query": "...", "hits": ["path", ...]}]',
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE.html",
        help="a page of queries and the images found for them, with scores and names",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand."""
    from build.errors import BuildError

    if (arguments.bundle is None) == (arguments.images is None):
        raise BuildError("say what to measure: either a BUNDLE or --images DIR.")
    of_other = ("model", "queries") if arguments.bundle else ("questions", "split")
    for name in of_other:
        if getattr(arguments, name) is not None:
            other = "--images DIR" if arguments.bundle else "a BUNDLE"
            raise BuildError(f"--{name} goes with {other} only.")
    if arguments.sheet and arguments.sheet.suffix.lower() not in (".html", ".htm"):
        raise BuildError(f"--sheet {arguments.sheet}: the sheet is a page: name it FILE.html.")
    return _of_a_bundle(arguments) if arguments.bundle else _of_images(arguments)


def _of_a_bundle(arguments: argparse.Namespace) -> int:
    # The other subcommands do without the encoders, and start sooner without them.
    from build.evaluate_bundle import evaluate_bundle, sheet_rows
    from build.questions import questions_of_captions, read_questions
    from models.bundle import Bundle

    bundle = Bundle.open(arguments.bundle, threads=os.cpu_count() or 1)
    try:
        if arguments.questions:
            paths = [item.image_path for item in bundle.items]
            questions = read_questions(arguments.questions, paths, arguments.split)
        else:
            questions = questions_of_captions(bundle.items, arguments.split)
        evaluation = evaluate_bundle(bundle, questions, by_words=arguments.questions is not None)
        print(f"{len(questions)} questions, {evaluation.images} images\n")
        print(evaluation.table())
        rows = sheet_rows(bundle, evaluation) if arguments.sheet else []
    finally:
        bundle.close()
    _write(arguments, evaluation.as_json(), rows)
    return 0


def _of_images(arguments: argparse.Namespace) -> int:
    from build.evaluate import caption_queries, evaluate, read_images, read_queries, sheet_rows
    from build.packages import DEMO_MODEL, open_package

    threads = os.cpu_count() or 1
    model = arguments.model or DEMO_MODEL
    package = open_package(model, text_threads=threads, image_threads=threads)
    assert package.image_encoder is not None
    images = read_images(arguments.images, package.card, package.image_encoder)
    for line in images.skipped[:_NAMED_SKIPPED]:
        print(f"skipped: {line}", file=sys.stderr)
    if len(images.skipped) > _NAMED_SKIPPED:
        print(f"... and {len(images.skipped) - _NAMED_SKIPPED} more", file=sys.stderr)
    queries = (
        read_queries(arguments.queries, images) if arguments.queries else caption_queries(images)
    )
    token_ids = package.tokenizer.encode([query.text for query in queries])
    vectors = package.text_encoder.encode(token_ids)
    evaluation = evaluate(images, queries, vectors)
    print(f"{len(queries)} queries, {len(images.paths)} images\n")
    print(evaluation.table(package.card.name))
    rows = sheet_rows(evaluation, images) if arguments.sheet else []
    _write(arguments, evaluation.as_json(), rows)
    return 0


def _write(arguments: argparse.Namespace, figures: dict[str, Any], rows: Sequence[Row]) -> None:
    from build.evaluation_sheet import draw_sheet

    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    if arguments.sheet:
        title = f"What is found in {arguments.bundle or arguments.images}"
        arguments.sheet.write_text(draw_sheet(title, rows), "utf-8")
