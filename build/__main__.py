"""The command line: ``python -m build {model,index,watch,change,…}``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from build.exit_code import exit_code
from build.interrupts import leave

_COMMANDS = {
    "model": "export an open_clip model to ONNX, verified (needs the `export` extra)",
    "index": "embed a folder of images into a bundle (resumable, incremental)",
    "embed": "embed images into shards of parquet, on one machine or many (resumable)",
    "watch": "keep the bundle of a folder current: build again whenever something changes in it",
    "change": "add, replace and remove images of a bundle by their embeddings",
    "bento": "put a bundle into the BentoML model store and build a bento of it",
    "export": "write a bundle's embeddings and items as npy or parquet, for other programs",
    "load": "put a bundle's images into Milvus, where they are searched from then on",
    "info": "say what a bundle or a model package is",
    "duplicates": "list what looks alike in a bundle, as CSV and as a page",
    "evaluate": "measure what a bundle's search finds, or a model of captioned images",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the process's exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}", description="From images and a checkpoint to a bundle."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # Only its module is imported: the options before it take no value.
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, summary in _COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary)
        if name == chosen:
            command = importlib.import_module(f"{__package__}.commands.{name}")
            subparser.description = command.__doc__
            command.configure(subparser)
            subparser.set_defaults(run=command.run)
    arguments = parser.parse_args(argv)
    return exit_code(lambda: int(arguments.run(arguments)))


if __name__ == "__main__":
    leave(main())
