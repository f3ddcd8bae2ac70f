"""Embed a folder of images into a bundle.

A build that is stopped goes on where it was when it is started again; one that is repeated
embeds only what changed.  `search` and `serve` take this bundle unless they are told otherwise.
"""

from __future__ import annotations

import argparse

from build.commands import index
from sightline import bundles

configure = index.configure


def run(arguments: argparse.Namespace) -> int:
    """Build, and remember the bundle."""
    code = index.run(arguments)
    bundles.remember(arguments.output)
    return code
