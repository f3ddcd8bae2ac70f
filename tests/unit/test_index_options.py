"""How many threads a build uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.index_options import IndexOptions, threads_of
from models import machine


def test_as_many_threads_as_are_asked_for_else_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 7)
    assert threads_of(IndexOptions(Path("b"), Path("m"), threads=3)) == 3
    assert threads_of(IndexOptions(Path("b"), Path("m"))) == 7
