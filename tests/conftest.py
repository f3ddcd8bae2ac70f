"""What tests of every kind share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.every_test_runs"]

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")

ROOT = Path(__file__).resolve().parent.parent
# Their tests share what a machine can have once (Milvus' ports) or what takes minutes (images).
TOGETHER = ("milvus", "container")


# Before pytest-xdist looks at the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers (`pytest -n 2 --dist loadgroup`) one has all tests of a file.

    It has all of a folder where two workers would need what cannot be there twice.
    """
    for item in items:
        file = item.path.relative_to(ROOT)
        if len(file.parts) < 2:
            # What stands for all tests where some would be missing: tests/every_test_runs.py.
            continue
        folder = file.parts[1]
        item.add_marker(pytest.mark.xdist_group(folder if folder in TOGETHER else str(file)))
        if folder == "ui":
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def demo_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery's bundle, made by the command that a user types."""
    bundle = tmp_path_factory.mktemp("bundles") / "demo"
    command = ["-m", "build", "index", "--images", "demo/gallery", "--output", str(bundle)]
    built = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return bundle


@pytest.fixture(scope="session")
def tiny_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model package of a few kilobytes with random weights; tests must not alter it."""
    from tests.tiny_package import write_tiny_package

    folder = tmp_path_factory.mktemp("packages") / "tiny"
    write_tiny_package(folder)
    return folder
