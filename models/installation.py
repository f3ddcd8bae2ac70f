"""How this code lies on the machine and how it is called.

In a checkout its packages are at the top (``python -m build index``).  Installed, all of them lie
in one, ``sightline`` (``sightline index``), where deploy/wheel.py has put them.  What starts
another process of ours, or tells people what to type, asks here.

>>> module("serving")
'serving'
>>> command("model --help")
'python -m build model --help'
"""

from __future__ import annotations

import os
import shlex
import sys
import tomllib
from pathlib import Path

# What comes before the name of this package.
_AROUND = __name__.split(".")[:-2]
INSTALLED = bool(_AROUND)
# Where build/, demo/, ui/ and the others lie.
ROOT = Path(__file__).resolve().parents[1]


def module(name: str) -> str:
    """What Python calls one of our modules here: ``serving``, or ``sightline.serving``."""
    return ".".join([*_AROUND, name])


def python(*arguments: str) -> list[str]:
    """The command that runs this Python again, for a module of ours: ``-m`` or ``-c``.

    The folder it is started in is not looked at, where anything may lie: a checkout, say, when
    what is installed is meant.  It finds our modules by :func:`environment`.
    """
    return [sys.executable, "-P", *arguments]


def environment() -> dict[str, str]:
    """This process's environment, in which :func:`python` finds our modules."""
    if INSTALLED:
        return dict(os.environ)
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)}


def command(words: str) -> str:
    """What to type for a subcommand of the build, such as ``model``."""
    return f"sightline {words}" if INSTALLED else f"python -m {module('build')} {words}"


def serve_command(bundle: Path) -> str:
    """What to type to serve a bundle."""
    folder = shlex.quote(str(bundle))
    return f"sightline serve --bundle {folder}" if INSTALLED else f"make serve BUNDLE={folder}"


def image_command(bento: str) -> str:
    """What to type to make an image of the bento that was built last."""
    return f"bentoml containerize {bento}" if INSTALLED else "make image BUNDLE=…"


def extra(name: str) -> str:
    """What to type to install one more of the extras in pyproject.toml."""
    return (
        f"pip install 'sightline[{name}]'"
        if INSTALLED
        else f"pip install -r requirements/{name}.txt"
    )


def bento_source() -> Path:
    """The folder that a bento is built of: the checkout, or the part of it that the wheel carries.

    A bento's modules have the names that they have in a checkout.
    """
    return ROOT / "bento_source" if INSTALLED else ROOT


def version() -> str:
    """Which release this is."""
    project = (bento_source() / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(project)["project"]["version"])
