"""Keep the bundle of a folder current.

It is built at the start, and again whenever an image, or a file that says something of images,
comes, changes or goes: a second after the last of several changes. Only what changed is embedded.
A service that is told to reload, or looks by itself, goes over to the new bundle. Ctrl-C and
SIGTERM end it; the bundle is whole at every instant.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from types import FrameType

from build.commands.index import configure_folder, folder_options, summary, tell_what_is_missed


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("images", type=Path, metavar="DIR", help="the folder of the images")
    configure_folder(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, until it is interrupted."""
    from build.bundle_from_images import Outcome
    from build.watch import keep_current

    def tell(outcome: Outcome) -> None:
        state = "ready" if outcome.changed else "up to date"
        print(f"{outcome.folder} is {state}: {summary(outcome)}", flush=True)
        tell_what_is_missed(outcome.folder, arguments.recall)

    signal.signal(signal.SIGTERM, _stop)
    keep_current(folder_options(arguments), tell)
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    """What stops it is one thing, wherever it is just then: Ctrl-C (build/interrupts.py)."""
    # Shells have it ignored by what they start in the background.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)
