"""Index a folder of images, serve it and show the page, until Ctrl-C.

Without a folder these are the images that come with Sightline.  A second time only what has
changed is embedded.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import webbrowser
from pathlib import Path

from build.errors import BuildError
from models.installation import ROOT
from sightline import bundles, servers

_GALLERY = ROOT / "demo" / "gallery"
_LOOK_EVERY_SECONDS = 0.2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument(
        "images", type=Path, nargs="?", default=_GALLERY, metavar="FOLDER", help="your images"
    )
    parser.add_argument(
        "--bundle", type=Path, help="where the bundle is kept; by default in a cache folder"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PACKAGE",
        help="a model package (sightline model); by default the embedded demo model",
    )
    parser.add_argument("--port", type=int, default=3000, help="of the service; default 3000")
    parser.add_argument("--page-port", type=int, default=8501, help="of the page; default 8501")
    parser.add_argument(
        "--no-browser", action="store_true", help="do not open the page in the browser"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C, which is its usual end, or until one of the two servers ends by itself."""
    for option, port in (("--port", arguments.port), ("--page-port", arguments.page_port)):
        if servers.in_use(port):
            raise BuildError(f"port {port} is in use: choose another, {option} {port + 10}")
    bundle = arguments.bundle or bundles.bundle_of(arguments.images)
    _index(arguments.images, arguments.model, bundle)
    try:
        return _serve(bundle, arguments.port, arguments.page_port, browser=not arguments.no_browser)
    except KeyboardInterrupt:
        print("\nstopped")
        return 0


def _index(images: Path, model: Path | None, bundle: Path) -> None:
    # Here, since they take long to import.
    from build.bundle_from_images import IndexOptions, build_index
    from build.commands.index import summary
    from build.packages import DEMO_MODEL

    options = IndexOptions(output=bundle, model=model or DEMO_MODEL, images=images)
    print(summary(build_index(options)), flush=True)
    bundles.remember(bundle)


def _serve(bundle: Path, port: int, page_port: int, *, browser: bool) -> int:
    service, page = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{page_port}"
    environment = {"SIGHTLINE_BUNDLE": str(bundle.resolve()), "SIGHTLINE_SERVICE_URL": service}
    with (
        servers.ended_by_signals(),
        servers.running(servers.service("127.0.0.1", port), environment) as serving,
        servers.running(servers.page("127.0.0.1", page_port), environment) as showing,
    ):
        if not (
            servers.answers(f"{service}/readyz", serving)
            and servers.answers(f"{page}/_stcore/health", showing)
        ):
            return 1
        print(
            f"\n  Page     {page}"
            f"\n  Service  {service}"
            f'\n\n  curl -s {service}/search -d \'{{"query": "a guitar", "k": 3}}\''
            "\n\n  Both answer this machine alone. Ctrl-C stops both.",
            flush=True,
        )
        if browser and _has_screen():
            webbrowser.open(page)
        while serving.poll() is None and showing.poll() is None:
            time.sleep(_LOOK_EVERY_SECONDS)
        return 1


def _has_screen() -> bool:
    """Whether a browser would be a window: where there are none, one may take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(
        {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys()
    )
