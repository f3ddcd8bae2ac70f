"""The command line: ``sightline``, in a checkout ``python -m sightline``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from build.exit_code import exit_code
from build.interrupts import leave
from models import installation

# Each in a module of `sightline.commands`, or of the build's.
_COMMANDS = {
    "open": ("sightline", "index a folder of images, serve it and show the page"),
    "index": ("sightline", "embed a folder of images into a bundle (resumable, incremental)"),
    "search": ("sightline", "find images in a bundle by describing them, without a service"),
    "serve": ("sightline", "answer searches of a bundle over HTTP"),
    "page": ("sightline", "show the page of a service that runs"),
    "mcp": ("sightline", "let assistants look for images in a service that runs"),
    "info": ("build", "say what a bundle or a model package is"),
    "embed": ("build", "embed images into shards of parquet, on one machine or many (resumable)"),
    "watch": ("build", "keep the bundle of a folder current"),
    "change": ("build", "add, replace and remove images of a bundle by their embeddings"),
    "model": ("build", "export an open_clip model to ONNX, verified (needs the `export` extra)"),
    "duplicates": ("build", "list what looks alike in a bundle, as CSV and as a page"),
    "evaluate": ("build", "measure what a bundle's search finds, or a model of captioned images"),
    "export": ("build", "write embeddings and all that is known of a bundle's images"),
    "load": ("build", "put a bundle's images into Milvus, where they are searched from then on"),
    "bento": ("build", "put a bundle into the BentoML model store and build a bento of it"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the process's exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="sightline", description="Find images by describing them."
    )
    parser.add_argument("--version", action=_Version, help="say which release this is, and end")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # Only its module is imported: the options before it take no value.
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, (package, summary) in _COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary)
        if name == chosen:
            commands = __package__ if package == "sightline" else installation.module(package)
            command = importlib.import_module(f"{commands}.commands.{name}")
            subparser.description = command.__doc__
            command.configure(subparser)
            subparser.set_defaults(run=command.run)
    arguments = parser.parse_args(argv)
    return exit_code(lambda: int(arguments.run(arguments)))


def program() -> NoReturn:
    """What is installed as ``sightline``."""
    leave(main())


class _Version(argparse.Action):
    """Looked up when it is asked for only."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"sightline {installation.version()}")
        parser.exit()


if __name__ == "__main__":
    program()
