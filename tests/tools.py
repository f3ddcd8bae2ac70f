"""Tools from outside Python that some tests drive."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest


def require_tool(*names: str, reason: str) -> Path:
    """The path of the first of several programs that is there.

    Without any of them the test is skipped on a developer's machine and fails in CI
    (``CI=true``), where a skipped test would go unnoticed.
    """
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        _missing(f"{reason}: none of {', '.join(names)} is installed")
    return Path(found)


def require_module(name: str, reason: str) -> None:
    """The same for a Python package that only some tests need."""
    if find_spec(name) is None:
        _missing(f"{reason}: the Python package {name} is not installed")


def _missing(told: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(told)
    pytest.skip(told)
