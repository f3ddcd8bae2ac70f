"""Embed images into shards of parquet, on this machine or on many.

A shard is a table of some thousand images: ids, paths, embeddings, sizes, checksums, what is said
of each, thumbnails. A run that is stopped goes on where it was when it is started again: shards
that are finished are not made again. `index --embeddings` makes a bundle of them, `load` puts them
into Milvus.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from build.commands.index import configure_choice, configure_device, positive
from models.installation import command


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument(
        "--images",
        required=True,
        metavar="DIR|ADDRESS",
        help="the folder of the images, or s3://…, gs://… or another address of fsspec's "
        "(the extra `remote`)",
    )
    parser.add_argument(
        "--output", required=True, metavar="DIR|ADDRESS", help="where the shards are to be"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PACKAGE",
        help=f"a model package ({command('model')}); by default the embedded demo model",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="this process (default), or Ray (the extra `ray`): the cluster that RAY_ADDRESS "
        "names, or workers on this machine",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="images at once, with Ray actors; default: all cores",
    )
    configure_device(parser)
    parser.add_argument(
        "--shard-size",
        type=positive,
        default=10_000,
        metavar="N",
        help="images of a shard; default 10000",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16"),
        default="float32",
        help="of the embeddings in the shards; default float32",
    )
    configure_choice(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand; the last line of its output has the counts."""
    from collections import Counter

    from build.found_images import told_unread
    from build.packages import DEMO_MODEL
    from build.shards.embedding import EmbedOptions, embed_shards

    done = embed_shards(
        EmbedOptions(
            images=arguments.images,
            output=arguments.output,
            model=arguments.model or DEMO_MODEL,
            engine=arguments.engine,
            workers=arguments.workers,
            device=arguments.device,
            shard_size=arguments.shard_size,
            precision=arguments.precision,
            metadata=arguments.metadata,
            include=arguments.include,
            exclude=arguments.exclude,
        )
    )
    manifest = done.manifest
    reasons = Counter(each.reason for each in manifest.skipped)
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    skipped = f"skipped {reasons.total()}" + (f" ({told})" if told else "")
    unread = f"; not read {told_unread(done.unread)}" if done.unread else ""
    print(
        f"{arguments.output} has {manifest.count} images in {len(manifest.shards)} shards, "
        f"{done.made} of them made now; {skipped}{unread}",
        flush=True,
    )
    return 0
