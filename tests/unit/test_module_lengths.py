"""No module is longer than is read at a sitting; what still is stands in a list that shrinks."""

from __future__ import annotations

from pathlib import Path

from tests.own_files import ROOT, own_files

MOST_LINES = 300
# To be split by what is in them.  Whoever has done so strikes the module from here.
STILL_LONGER = {
    "build/assemble.py",
    "build/evaluate.py",
    "build/existing_embeddings.py",
    "build/bundle_from_images.py",
    "build/journal.py",
    "models/bundle.py",
    "models/facets.py",
    "models/items.py",
    "models/manifest.py",
    "serving/engine.py",
    "ui/app.py",
    "ui/results.py",
}


def longer(paths: dict[str, Path], most: int) -> set[str]:
    """The names of the files that have more lines."""
    return {
        name
        for name, path in paths.items()
        if len(path.read_text(encoding="utf-8").splitlines()) > most
    }


def test_no_module_is_longer_but_those_that_are_known_to_be() -> None:
    modules = {path.relative_to(ROOT).as_posix(): path for path in own_files("*.py")}
    ours = {name: path for name, path in modules.items() if not name.startswith("tests/")}
    assert {"service.py", "models/images.py", "deploy/wheel.py"} <= set(ours)
    found = longer(ours, MOST_LINES)
    assert not found - STILL_LONGER, "split these by what is in them"
    assert not STILL_LONGER - found, "these are short by now: strike them from STILL_LONGER"


def test_lines_are_counted(tmp_path: Path) -> None:
    for lines in (3, 4):
        (tmp_path / f"{lines}.py").write_text("x = 1\n" * lines)
    assert longer({path.name: path for path in tmp_path.iterdir()}, 3) == {"4.py"}
