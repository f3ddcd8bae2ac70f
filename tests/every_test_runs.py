"""A test that never runs is found: this plugin of pytest looks for it.

A run of everything (``pytest`` without a path) is refused where a test is on the disk and not
among those that were collected: its folder is left out by some default (``build`` is, by
pytest's own), its file is not called ``test_*.py``, another of the same name hides it, or its
class is not called ``Test…``.

In CI (``CI=true``) a skipped test fails, since nobody reads there what was skipped.  What
may be skipped is what another system runs: its reason begins with ``platform:``.
"""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

MAY_SKIP = "platform:"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Before ``-k`` and ``-m`` choose: is every test there?"""
    if not _is_everything(config) or session.testsfailed:
        return
    skipped = config.stash.get(_SKIPPED_FILES, set())
    folders = [config.rootpath / each for each in config.getini("testpaths")]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    written = Counter(test for path in files if path not in skipped for test in _tests(path))
    lost = written - Counter(set(map(_written_as, items)))
    empty = {path for path in files if path.match("test_*.py")} - skipped
    empty -= {path for path, _ in written}
    told = [f"{path.relative_to(config.rootpath)}: {name}" for path, name in lost]
    told += [f"{path.relative_to(config.rootpath)}: no test is in it" for path in sorted(empty)]
    if not told:
        return
    message = "tests that never run:\n  " + "\n  ".join(told)
    if not hasattr(config, "workerinput"):
        raise pytest.UsageError(message)
    # What a worker raises here is not told where the command was typed; what fails is.
    items[:] = [_NeverRun.from_parent(session, name="every test runs", message=message)]


class _NeverRun(pytest.Item):
    """Stands for all tests of a run in which some would be missing."""

    def __init__(self, *, message: str, **about: Any) -> None:
        super().__init__(**about)
        self._message = message

    def runtest(self) -> None:
        pytest.fail(self._message, pytrace=False)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist collects what it is told, and is told what was asked for."""
    node.workerinput["everything"] = _is_everything(node.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that skips itself (``importorskip``) is skipped, and not lost."""
    report = yield
    if report.skipped:
        collector.config.stash.setdefault(_SKIPPED_FILES, set()).add(collector.path)
        _fail_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped while it runs; one that is expected to fail is none."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _fail_in_ci(report)
    return report


def _is_everything(config: pytest.Config) -> bool:
    """Whether all tests were asked for, here or by the run that this is a worker of."""
    worker: dict[str, bool] | None = getattr(config, "workerinput", None)
    if worker is not None:
        return worker["everything"]
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS


_SKIPPED_FILES = pytest.StashKey[set[Path]]()


def _fail_in_ci(report: pytest.CollectReport | pytest.TestReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if os.environ.get("CI", "").lower() in ("1", "true") and not reason.startswith(MAY_SKIP):
        report.outcome = "failed"
        report.longrepr = f"skipped, and in CI nobody would notice: {reason}"


def _tests(path: Path) -> Iterator[tuple[Path, str]]:
    """The tests that a file seems to have, with the class they are in."""
    tree = ast.parse(path.read_bytes(), str(path))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test"
        ):
            parent = parents[node]
            inside = f"{parent.name}." if isinstance(parent, ast.ClassDef) else ""
            yield path, f"{inside}{node.name}"


def _written_as(item: pytest.Item) -> tuple[Path, str]:
    """A collected test as ``_tests`` names it, whatever its parameters."""
    name = getattr(item, "originalname", item.name)
    inside = item.parent.name + "." if isinstance(item.parent, pytest.Class) else ""
    return item.path, f"{inside}{name}"
