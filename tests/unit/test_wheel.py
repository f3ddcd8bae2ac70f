"""deploy/wheel.py: our own modules get another name in the wheel, and nothing is missed."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.tools import require_module

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel() -> ModuleType:
    require_module("hatchling", "deploy/wheel.py is a part of it")
    spec = importlib.util.spec_from_file_location("wheel_hook", ROOT / "deploy" / "wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from build.x import y", "from sightline.build.x import y"),
        ("from models import machine, raw", "from sightline.models import machine, raw"),
        ("from  service import (  # x\n  a,\n)", "from  sightline.service import (  # x\n  a,\n)"),
        ("import os, ui.a as a, ui as b", "import os, sightline.ui.a as a, sightline.ui as b"),
        ("x = 1; from ui import a; y = 2", "x = 1; from sightline.ui import a; y = 2"),
        ("é = 'ü'; from ui import a", "é = 'ü'; from sightline.ui import a"),
        ("if x:\r\n  from demo import a\r\n", "if x:\r\n  from sightline.demo import a\r\n"),
        # None of ours, relative, or no code.
        ("from builder import x\nfrom modelscope.models import y", None),
        ("import build_tools, servings", None),
        ("from .models import x\nfrom . import build", None),
        ('"""Says ``from build.x import y`` and python -m build."""', None),
        ("x = 1  # from models.x import y", None),
        ('folder = root / "models" / "build"; other["serving"]', None),
        ('call("service.name", "ui", "a build.x b")', None),
        ('run("-m", "streamlit", "ui/app.py")', None),
    ],
)  # fmt: skip
def test_imports_of_ours_are_renamed_and_nothing_else(
    wheel: ModuleType, source: str, expected: str | None
) -> None:
    renamed = wheel.renamed(source.encode(), "a.py").decode()
    assert renamed == (source if expected is None else expected)
    ast.parse(renamed)


@pytest.mark.parametrize(
    "source",
    [
        "import models",
        "import build.x",
        "from \\\n    build.x import y",
        'import_module("models.raw")',
        'importlib.import_module("ui")',
        '__import__("serving")',
        'importlib.import_module(f"build.commands.{name}")',
        'importlib.util.find_spec("demo")',
        'run([python, "-m", "serving", "--port", "1"])',
        'python("-m", "serving")',
        '["sh", "-c", "python -m build index"]',
        'f"export it again: python -m build {what}"',
        'exec("from serving.bundle_opening import x")',
        'code = "import os\\nimport models.raw"',
        'serve("service:Sightline")',
        'patch("models.raw.read")',
    ],
)
def test_what_cannot_be_renamed_ends_the_build(wheel: ModuleType, source: str) -> None:
    with pytest.raises(wheel.CannotRenameError, match=r"^a\.py:[23]: "):
        wheel.renamed(f"x = 1\n{source}\n".encode(), "a.py")


def test_every_module_of_the_checkout_is_renamed(wheel: ModuleType, tmp_path: Path) -> None:
    held = wheel.contents(ROOT, tmp_path)
    inside = {name for name in held.values() if not name.startswith("sightline/bento_source/")}
    for name in (
        "service.py",
        "build/commands/index.py",
        "ui/.streamlit/config.toml",
        "__main__.py",
    ):
        assert f"sightline/{name}" in inside
    assert not any("demo_model" in name or name.endswith(".pyc") for name in inside)
    for path, name in held.items():
        if name not in inside or not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(Path(path).read_bytes())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert str(node.module).partition(".")[0] not in wheel.OWN, name


def test_a_bento_is_built_of_what_it_is_in_the_checkout(wheel: ModuleType, tmp_path: Path) -> None:
    held = {name: Path(path) for path, name in wheel.contents(ROOT, tmp_path).items()}
    for name in ("service.py", "serving/app.py", "deploy/slim.py", "requirements/serve.txt"):
        copy, original = held[f"sightline/bento_source/{name}"], ROOT / name
        assert copy.read_bytes() == original.read_bytes()
        assert copy.stat().st_mode == original.stat().st_mode


def test_an_editable_installation_is_refused(wheel: ModuleType) -> None:
    hook = wheel.OneName(str(ROOT), {}, None, None, "", "wheel")
    with pytest.raises(ValueError, match="python -m sightline"):
        hook.initialize("editable", {})
