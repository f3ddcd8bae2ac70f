"""No module is longer than is read at a sitting."""

from __future__ import annotations

from pathlib import Path

from tests.own_files import ROOT, own_files

MOST_LINES = 300


def longer(paths: dict[str, Path], most: int) -> set[str]:
    """The names of the files that have more lines."""
    return {
        name
        for name, path in paths.items()
        if len(path.read_text(encoding="utf-8").splitlines()) > most
    }


def test_no_module_is_longer() -> None:
    modules = {path.relative_to(ROOT).as_posix(): path for path in own_files("*.py")}
    ours = {name: path for name, path in modules.items() if not name.startswith("tests/")}
    assert {"service.py", "models/images.py", "deploy/wheel.py"} <= set(ours)
    assert longer(ours, MOST_LINES) == set(), "split these by what is in them"


def test_lines_are_counted(tmp_path: Path) -> None:
    for lines in (3, 4):
        (tmp_path / f"{lines}.py").write_text("x = 1\n" * lines)
    assert longer({path.name: path for path in tmp_path.iterdir()}, 3) == {"4.py"}
