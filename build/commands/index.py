"""Embed a folder of images into a bundle.

A build that is stopped goes on where it was when it is started again; one that is repeated
embeds only what changed.  What it has learnt lies beside the bundle, in
`.NAME.journal.sqlite`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.installation import command, serve_command

if TYPE_CHECKING:
    from build.bundle_from_images import Outcome
    from build.index_options import IndexOptions


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("--images", type=Path, metavar="DIR", help="the folder of the images")
    configure_folder(parser)
    parser.add_argument(
        "--sample-size", type=positive, metavar="N", help="take N of the images at random"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample; default 0")
    parser.add_argument(
        "--embeddings",
        metavar="X.npy",
        help="vectors that exist already, of the same model, with --paths; or a folder that "
        f"clip-retrieval has written; needs --model. Or shards of `{command('embed')}`",
    )
    parser.add_argument(
        "--paths",
        type=Path,
        metavar="PATHS.txt",
        help="line n: the image of row n; or a .parquet of paths and captions "
        "(the extra `parquet`)",
    )


def configure_folder(parser: argparse.ArgumentParser) -> None:
    """Declare what a bundle of a folder is to be made of, but for the folder."""
    parser.add_argument(
        "--output", type=Path, required=True, metavar="BUNDLE", help="the bundle to make or renew"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PACKAGE",
        help=f"a model package ({command('model')}); by default the embedded demo model",
    )
    parser.add_argument(
        "--metric",
        choices=("ip", "l2"),
        default="ip",
        help="inner product (default) or Euclidean distance; both rank alike",
    )
    parser.add_argument(
        "--recall",
        type=_share,
        # As in models/tuning.py, which --help does without.
        default=0.99,
        metavar="SHARE",
        help="above 10,000 images: how many of the ten nearest to a text a search is to find; "
        "more takes longer; default 0.99",
    )
    parser.add_argument(
        "--captioner",
        metavar="MODEL",
        help="an image-to-text model of transformers, by its name on the hub or its folder, "
        "that describes images without a caption (the extra `caption`)",
    )
    parser.add_argument(
        "--ocr",
        action="store_true",
        help="read the text in the images (the extra `ocr`)",
    )
    configure_choice(parser)
    parser.add_argument(
        "--prune",
        action="store_true",
        help="forget the embeddings of images that are not there any more",
    )
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="images at once; default: all cores"
    )
    configure_device(parser)


def configure_choice(parser: argparse.ArgumentParser) -> None:
    """Declare which images of a folder are taken, and how much of what they say."""
    parser.add_argument(
        "--metadata",
        choices=("none", "basic", "all"),
        default="basic",
        help="what images and XMP files beside them say (EXIF, IPTC, XMP): none of it; captions, "
        "alt texts, keywords, people, places by name, dates, cameras (default); or also exposure "
        "and where by GPS",
    )
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="GLOB",
        help="only images that match, as in a .gitignore; may be given several times",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="no folders and images that match; beside what .sightlineignore says",
    )


def configure_device(parser: argparse.ArgumentParser) -> None:
    """Declare where images are embedded."""
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="where images are embedded: the processor (default), or an NVIDIA GPU "
        "(the extra `gpu`)",
    )


def folder_options(arguments: argparse.Namespace) -> IndexOptions:
    """What a bundle of a folder is to be made of, as :func:`configure_folder` has declared it."""
    from build.index_options import IndexOptions
    from build.packages import DEMO_MODEL

    return IndexOptions(
        output=arguments.output,
        model=arguments.model or DEMO_MODEL,
        images=arguments.images,
        metric=arguments.metric,
        recall=arguments.recall,
        threads=arguments.threads,
        captioner=arguments.captioner,
        ocr=arguments.ocr,
        include=arguments.include,
        exclude=arguments.exclude,
        prune=arguments.prune,
        metadata=arguments.metadata,
        device=arguments.device,
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand; the last line of its output has the counts."""
    from build.bundle_from_images import build_index
    from build.errors import BuildError
    from build.shards.reading import shards_at

    if arguments.embeddings and arguments.device != "cpu":
        raise BuildError("--device is where images are embedded: these are.")
    shards = None if arguments.embeddings is None else shards_at(arguments.embeddings)
    if arguments.embeddings and not arguments.model and shards is None:
        raise BuildError("--embeddings needs --model: the package of the model that made them.")
    if arguments.paths and not arguments.embeddings:
        raise BuildError("--paths names the images of --embeddings, which is missing.")
    if shards is not None and (arguments.paths or arguments.captioner or arguments.ocr):
        raise BuildError(
            "shards say themselves which images they hold and what is known of them: --paths, "
            "--captioner and --ocr are for others."
        )
    if arguments.captioner and not arguments.images:
        raise BuildError("--captioner looks at the images: give --images, too.")
    if arguments.ocr and not arguments.images:
        raise BuildError("--ocr reads the images: give --images, too.")
    options, given = folder_options(arguments), arguments.embeddings
    outcome = build_index(
        replace(
            options,
            sample_size=arguments.sample_size,
            seed=arguments.seed,
            embeddings=None if given is None or shards is not None else Path(given),
            shards=shards,
            images=options.images or (None if shards is None else shards.root),
            paths=arguments.paths,
        )
    )
    print(f"{outcome.folder} is {'ready' if outcome.changed else 'up to date: nothing changed'}")
    if outcome.gone:
        print(
            f"{outcome.gone} images of earlier builds were not found: their embeddings are kept "
            "for when they are back; --prune forgets them"
        )
    print(summary(outcome), flush=True)
    tell_what_is_missed(outcome.folder, arguments.recall)
    # Not among what is printed for other programs, whose last line has the counts.
    print(f"serve it:  {serve_command(outcome.folder)}", file=sys.stderr)
    return 0


def summary(outcome: Outcome) -> str:
    """The counts in one line."""
    from build.found_images import told_unread

    embedded = f"embedded {outcome.embedded} (of which {outcome.reused} reused)"
    if outcome.without_file:
        embedded += f", {outcome.without_file} of them without a file"
    skipped = f"skipped {outcome.skipped.total()}"
    if outcome.skipped:
        reasons = (f"{reason} {count}" for reason, count in outcome.skipped.most_common())
        skipped += f" ({', '.join(reasons)})"
    unread = f"; not read {told_unread(outcome.unread)}" if outcome.unread else ""
    return f"found {outcome.found}; {embedded}; {skipped}{unread}"


def tell_what_is_missed(bundle: Path, recall: float) -> None:
    """Warn where a bundle's index finds less than was asked for, however much it compares.

    After a change few texts tell, and with fewer candidates a little less is chance.
    """
    from models.manifest import Manifest
    from models.tuning import CANDIDATES

    facts = Manifest.read(bundle).index
    most = CANDIDATES[-1]
    if facts.recall_at_10 < recall and facts.search_parameters.get("candidates") == most:
        print(
            f"warning: the index finds {facts.recall_at_10:.3f} of the ten nearest, not "
            f"{recall:g}, although it compares {most} candidates.",
            file=sys.stderr,
        )


def _share(text: str) -> float:
    """A part of a whole, as an option's value.

    Raises:
        ArgumentTypeError: it is none.
    """
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError("more than 0, and at most 1")
    return share


def positive(text: str) -> int:
    """A number of at least one, as an option's value.

    Raises:
        ArgumentTypeError: it is less.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
