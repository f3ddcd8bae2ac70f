"""Let assistants look for images in a running service, over MCP.

Over stdin and stdout, for a client that starts it, or over HTTP.  SIGHTLINE_SERVICE_URL and
SIGHTLINE_API_KEY say where the service is.
"""

from __future__ import annotations

import argparse

from build.errors import BuildError
from models import installation


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("--http", action="store_true", help="over HTTP, at /mcp, and not stdio")
    parser.add_argument("--host", default="127.0.0.1", help="with --http; default %(default)s")
    parser.add_argument("--port", type=int, default=8765, help="with --http; default %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Serve until the client hangs up."""
    try:
        from ui.mcp import serve
    except ImportError as error:
        install = installation.extra("mcp")
        raise BuildError(f"packages that speak MCP are missing ({error}): {install}") from None
    serve((arguments.host, arguments.port) if arguments.http else None)
    return 0
