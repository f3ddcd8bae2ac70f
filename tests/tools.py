"""Tools from outside Python that some tests drive."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest


def require_tool(*names: str, reason: str) -> Path:
    """The path of the first of several programs that is there.

    Without any of them the test is skipped; in CI that fails (``tests/every_test_runs.py``).
    """
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{reason}: none of {', '.join(names)} is installed")
    return Path(found)


def require_module(name: str, reason: str) -> None:
    """The same for a Python package that only some tests need."""
    if find_spec(name) is None:
        pytest.skip(f"{reason}: the Python package {name} is not installed")
