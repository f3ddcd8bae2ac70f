"""Put every package of the checkout under one import name in the wheel: ``sightline``.

A checkout has ``build/``, ``models/``, ``serving/``, ``ui/`` and ``service.py`` at its top, since
whoever works on it, ``make``, BentoML and the container expect them there.  In ``site-packages``
such names would be everybody's: ``build`` is a package on PyPI, ``models`` and ``ui`` are what half
of all projects call theirs.  So the wheel has them within ``sightline``, beside what the checkout's
``sightline/`` holds, and the copies that go in import each other by those names:
``from models.bundle import Bundle`` becomes ``from sightline.models.bundle import Bundle``.

Relative imports would spare this, but reach no further than a top-level package, of which the
checkout has several.  Putting ``sightline/`` itself on the path would spare it, too, and bring back
the names that it is to avoid.

Statements are found by the syntax tree and nothing else is touched.  What names a module in
another way (a string for ``import_module``, ``python -m NAME``, code in a string) cannot be
renamed with certainty: it ends the build, and has to ask ``models/installation.py`` instead.

Hatchling runs this (pyproject.toml, ``tool.hatch.build``).
"""

from __future__ import annotations

import ast
import re
import shutil
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "sightline"
# The modules at the top of the checkout that the wheel has within NAME.
OWN = ("build", "demo", "models", "service", "serving", "ui")
# Recipes for the embedded model, its gallery and a page of docs/: they write into the checkout.
_LEFT_OUT = ("build/demo_gallery", "build/demo_model", "build/export/architectures.py")
# What a bento is built of, as it is: it runs from a folder of its own, with the checkout's names.
_BENTO_SOURCE = (
    "README.md",
    "bentofile.yaml",
    "deploy/Dockerfile.template",
    "deploy/slim.py",
    "models",
    "pyproject.toml",
    "requirements/milvus.txt",
    "requirements/remote.txt",
    "requirements/serve.txt",
    "service.py",
    "serving",
)

_ANY = "|".join(OWN)
# "service.name" is OpenTelemetry's.
_PACKAGE = "|".join(name for name in OWN if name != "service")
_FROM = re.compile(rb"from[ \t]+(?=\w)")
# A module's name alone, or as it begins in an f-string; code; a command.
_NAMES_A_MODULE = re.compile(
    rf"(?:{_PACKAGE})\.(?:[A-Za-z_][\w.]*)?|(?:{_ANY}):[A-Za-z_]\w*"
    rf"|(?s:.*)\b(?:from|import)\s+(?:{_ANY})\b(?s:.*)"
    rf"|(?s:.*)python3? -m (?:{_ANY})\b(?s:.*)"
)
_IMPORTERS = frozenset({"import_module", "__import__", "find_spec"})


class CannotRenameError(Exception):
    """A module is named in a way that cannot be renamed; the message says where."""


class OneName(BuildHookInterface[Any]):
    """Tells Hatchling, file by file, what goes into the wheel, and under which name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Rename what has to be renamed, in copies.

        Raises:
            CannotRenameError: see there.
            ValueError: the wheel is to refer to the checkout instead of holding it.
        """
        if version == "editable":
            raise ValueError(
                "an editable installation has no modules to point at: in the checkout type "
                "`python -m sightline`, or install it without -e"
            )
        self._copies = Path(tempfile.mkdtemp(prefix="sightline-wheel-"))
        build_data["force_include"].update(contents(Path(self.root), self._copies))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take the copies away."""
        shutil.rmtree(self._copies)


def contents(root: Path, copies: Path) -> dict[str, str]:
    """What the wheel holds: the path of each file, and its path in the wheel.

    Args:
        root: the checkout.
        copies: where renamed modules are written to.

    Raises:
        CannotRenameError: see there.
    """
    held = {}
    for name in (NAME, *OWN):
        source = root / name if (root / name).is_dir() else root / f"{name}.py"
        for path in _files(source):
            relative = path.relative_to(root)
            if any(relative.is_relative_to(folder) for folder in _LEFT_OUT):
                continue
            if path.suffix == ".py":
                copy = copies / relative
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(renamed(path.read_bytes(), str(relative)))
                path = copy
            within = relative if name == NAME else NAME / relative
            held[str(path)] = within.as_posix()
    copies_as_they_are = copies / "bento_source"
    for name in _BENTO_SOURCE:
        for path in _files(root / name):
            relative = path.relative_to(root)
            # Copied, since one file can have one place in the wheel only.
            copy = copies_as_they_are / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            # With its mode: BentoML runs one of them.
            shutil.copy(path, copy)
            held[str(copy)] = f"{NAME}/bento_source/{relative.as_posix()}"
    return held


def renamed(source: bytes, file: str) -> bytes:
    """A module's text, with our own modules imported from within ``sightline``.

    Args:
        source: of the module, in UTF-8.
        file: what to call it in an error.

    Raises:
        CannotRenameError: names the line that names one of our modules and is no such import.
    """
    tree = ast.parse(source, file)
    for line, why in _odd(tree):
        raise CannotRenameError(f"{file}:{line}: {why}")
    lines = source.splitlines(keepends=True)
    # From the end, so that the columns before stay right.
    for line, column in sorted(_imports(tree, lines, file), reverse=True):
        text = lines[line - 1]
        lines[line - 1] = text[:column] + NAME.encode() + b"." + text[column:]
    return b"".join(lines)


def _imports(tree: ast.Module, lines: list[bytes], file: str) -> Iterator[tuple[int, int]]:
    """Where each of our modules is named in an import: the line from 1, the byte from 0."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_own(alias.name):
                    yield alias.lineno, alias.col_offset
        elif isinstance(node, ast.ImportFrom) and not node.level and _is_own(node.module):
            begins = _FROM.match(lines[node.lineno - 1], node.col_offset)
            if begins is None:
                raise CannotRenameError(f"{file}:{node.lineno}: the module is on another line")
            yield node.lineno, begins.end()


def _odd(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each line that names one of our modules by other means, and why that is no good."""
    ask = "ask models/installation.py for its name"
    # Docstrings: words for people.
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if _is_own(alias.name) and alias.asname is None:
                        yield node.lineno, f"`import {alias.name}` needs an `as`, or `from`"
            case ast.Constant(value=str(text)) if node not in words:
                if _NAMES_A_MODULE.fullmatch(text):
                    yield node.lineno, f"{text!r} names a module: {ask}"
            case ast.Call(args=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
                said = [part.value if isinstance(part, ast.Constant) else None for part in parts]
                named = [after for option, after in pairwise(said) if option == "-m"]
                if isinstance(node, ast.Call) and _called(node) in _IMPORTERS:
                    named += said[:1]
                for name in named:
                    if isinstance(name, str) and _is_own(name):
                        yield node.lineno, f"{name!r} names a module: {ask}"


def _called(call: ast.Call) -> str:
    """The last part of a function's name."""
    return ast.unparse(call.func).rpartition(".")[2]


def _is_own(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] in OWN


def _files(source: Path) -> Iterator[Path]:
    """A file itself, or every file in a folder but what Python has compiled."""
    if source.is_file():
        yield source
        return
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
