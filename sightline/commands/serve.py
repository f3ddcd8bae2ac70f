"""Answer searches of a bundle over HTTP, until Ctrl-C.

Variables that begin with SIGHTLINE_ say the rest (README.md).
"""

from __future__ import annotations

import argparse
import os

from sightline import bundles


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument(
        "--bundle",
        metavar="FOLDER|ADDRESS",
        help="default: what SIGHTLINE_BUNDLE names, or the one used last",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="0.0.0.0 for whoever reaches this machine; default 127.0.0.1, this machine alone",
    )
    parser.add_argument("--port", type=int, default=3000, help="default 3000")


def run(arguments: argparse.Namespace) -> int:
    """Serve in this process."""
    bundle = arguments.bundle or os.environ.get("SIGHTLINE_BUNDLE") or bundles.last()
    os.environ["SIGHTLINE_BUNDLE"] = bundle
    # Here, since it reads the variable.
    from serving.__main__ import main

    main(["--host", arguments.host, "--port", str(arguments.port)])
    return 0
