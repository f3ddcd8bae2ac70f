"""Show the page of a service that runs, until Ctrl-C."""

from __future__ import annotations

import argparse
import os

from sightline.servers import page


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument(
        "--service",
        metavar="ADDRESS",
        help="default: what SIGHTLINE_SERVICE_URL says, or http://127.0.0.1:3000",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="0.0.0.0 for whoever reaches this machine, whose browsers then have to reach the "
        "service, too (SIGHTLINE_PUBLIC_URL); default 127.0.0.1, this machine alone",
    )
    parser.add_argument("--port", type=int, default=8501, help="default 8501")


def run(arguments: argparse.Namespace) -> int:
    """Become Streamlit, which hears of Ctrl-C itself."""
    command = page(arguments.host, arguments.port)
    environment = dict(os.environ)
    if arguments.service:
        environment["SIGHTLINE_SERVICE_URL"] = arguments.service
    os.execve(command[0], command, environment)
