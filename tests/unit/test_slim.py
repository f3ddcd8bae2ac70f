"""deploy/slim.py: what it takes out of an environment, and what it leaves."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "slim.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("slim", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(packages: Path, *names: str) -> None:
    for name in names:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("x = 1\n")


def test_only_what_serves_is_left(script: ModuleType, tmp_path: Path) -> None:
    kept = ["one/__init__.py", "one/data.json", "one-1.dist-info/licenses/LICENSE", "tests/api.py"]
    write(tmp_path, *kept, "one/tests/test_one.py", "one/core.pyx", "one/__init__.pyi")
    script.slim(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name in left if not name.endswith(".pyc")} == set(kept)
    assert "one/__pycache__/__init__.cpython" in " ".join(left)


def test_a_package_that_has_changed_is_noticed(script: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, "numpy/__init__.py")
    with pytest.raises(SystemExit, match=r"nothing matches numpy/f2py"):
        script.slim(tmp_path)


def test_what_does_not_compile_is_noticed(script: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, "one/__init__.py")
    (tmp_path / "one" / "broken.py").write_text("def (:\n")
    with pytest.raises(SystemExit, match="does not compile"):
        script.slim(tmp_path)
