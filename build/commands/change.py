"""Add, replace and remove images of a bundle by their embeddings.

What an image's path names already is replaced. The bundle that comes of it takes the place of the
old one as a whole; its large files are shared with the old one and not written again, so this
takes a few hundredths of the time of a build. A bundle that was made from a folder of images by
their files is kept current by `index`, or by `watch`.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument(
        "--embeddings",
        type=Path,
        metavar="X.npy",
        help="of images that are to be added or replaced, made by the bundle's model; or a "
        "folder that clip-retrieval has written",
    )
    parser.add_argument(
        "--paths",
        type=Path,
        metavar="PATHS.txt",
        help="line n: the image of row n; or a .parquet of paths and captions",
    )
    parser.add_argument(
        "--remove",
        type=Path,
        metavar="PATHS.txt",
        help="the images that are to be removed, a path in each line",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="the folder of the images; by default the one that the bundle was made from",
    )
    parser.add_argument(
        "--metadata",
        choices=("none", "basic", "all"),
        default="basic",
        help="what images and XMP files beside them say, as for index",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand; the last line of its output has the counts."""
    from build.change import ChangeOptions, change_bundle
    from build.errors import BuildError

    if arguments.paths and not arguments.embeddings:
        raise BuildError("--paths names the images of --embeddings, which is missing.")
    changed = change_bundle(
        ChangeOptions(
            bundle=arguments.bundle,
            embeddings=arguments.embeddings,
            paths=arguments.paths,
            remove=arguments.remove,
            images=arguments.images,
            metadata=arguments.metadata,
        )
    )
    how = " (written anew)" if changed.renewed else ""
    print(f"{arguments.bundle} is ready{how}")
    absent = f"; not there to remove {changed.absent}" if changed.absent else ""
    print(
        f"{changed.images} images: added {changed.added}, replaced {changed.replaced}, "
        f"removed {changed.removed}{absent}",
        flush=True,
    )
    return 0
