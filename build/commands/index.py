"""Placeholder that the module's owner replaces."""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand."""
    return 1
