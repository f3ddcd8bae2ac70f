"""models/installation.py in a checkout; tests/command has what it says where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import installation

ROOT = Path(__file__).resolve().parents[2]


def test_another_process_finds_our_modules_wherever_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serving.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "more.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = f"import {installation.module('serving')} as found, more; print(found.__file__)"
    found = subprocess.run(
        installation.python("-c", code),
        cwd=tmp_path,
        env=installation.environment(),
        capture_output=True,
        text=True,
    )
    assert found.stdout == f"{ROOT / 'serving' / '__init__.py'}\n", found.stderr
    assert installation.environment()["PATH"] == os.environ["PATH"]


def test_people_are_told_what_works_in_a_checkout() -> None:
    assert installation.command("model --help") == "python -m build model --help"
    assert installation.serve_command(Path("my bundle")) == "make serve BUNDLE='my bundle'"
    assert installation.image_command("sightline:1") == "make image BUNDLE=…"
    assert installation.extra("export") == "pip install -r requirements/export.txt"
    assert (ROOT / "requirements" / "export.txt").exists()


def test_a_checkout_is_what_a_bento_is_built_of() -> None:
    assert installation.bento_source() == installation.ROOT == ROOT
    assert installation.version() == "0.1.0"
    assert installation.python("-c") == [sys.executable, "-P", "-c"]
