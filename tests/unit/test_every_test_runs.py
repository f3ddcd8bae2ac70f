"""The plugin that finds tests that never run, over small suites with one such test each."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.own_files import ROOT, own_files

pytest_plugins = ["pytester"]

PASSES = "def test_it(): assert True\n"


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """pytest with this project's own settings."""
    if not (pytester.path / "pyproject.toml").exists():
        pytester.makepyprojecttoml((ROOT / "pyproject.toml").read_text("utf-8"))
    return pytester.runpytest_inprocess("-p", "tests.every_test_runs", *arguments)


@pytest.fixture(autouse=True)
def _not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


def write(pytester: pytest.Pytester, **files: str) -> None:
    for name, text in files.items():
        path = pytester.path / "tests" / name.replace("__", "/")
        path = path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def test_a_suite_that_runs_whole_passes(pytester: pytest.Pytester) -> None:
    parameters = "import pytest\n\n@pytest.mark.parametrize('x', [1, 2])\ndef test_it(x): pass\n"
    skips = "import pytest\npytest.importorskip('no_such_package')\ndef test_it(): pass\n"
    write(pytester, test_a=PASSES, build__test_b=parameters, tools="x = 1\n", test_c=skips)
    write(pytester, test_d="class TestIt:\n    def test_it(self): pass\n")
    run(pytester).assert_outcomes(passed=4, skipped=1)
    # Chosen from the whole: what is left out by its name was collected before.
    run(pytester, "-k", "TestIt").assert_outcomes(passed=1, skipped=1, deselected=3)


def test_what_never_runs_is_named_by_workers_too(pytester: pytest.Pytester) -> None:
    write(pytester, test_a=PASSES)
    run(pytester, "-n", "1", "--dist", "loadgroup").assert_outcomes(passed=1)
    write(pytester, load=PASSES)
    refused = run(pytester, "-n", "1", "--dist", "loadgroup")
    refused.assert_outcomes(failed=1)
    refused.stdout.fnmatch_lines(["*tests that never run:", "*tests/load.py: test_it"])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("load", PASSES, "tests/load.py: test_it"),
        ("test_a", PASSES + PASSES, "tests/test_a.py: test_it"),
        ("test_a", "class Fox:\n    def test_it(self): pass\n", "tests/test_a.py: Fox.test_it"),
        ("test_a", "def outer():\n    def test_it(): pass\n", "tests/test_a.py: test_it"),
        ("test_a", "x = 1\n", "tests/test_a.py: no test is in it"),
    ],
)
def test_what_never_runs_is_named(
    pytester: pytest.Pytester, name: str, text: str, told: str
) -> None:
    write(pytester, **{name: text}, test_other=PASSES)
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert told in result.stderr.str()
    # Not where somebody asks for one file.
    run(pytester, "tests/test_other.py").assert_outcomes(passed=1)


def test_a_folder_that_is_left_out_is_named(pytester: pytest.Pytester) -> None:
    """As tests/build/ was: pytest leaves out folders of that name unless it is told."""
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    pytester.makepyprojecttoml(settings.replace("\nnorecursedirs = ", "\n# norecursedirs = "))
    write(pytester, build__test_a=PASSES, test_other=PASSES)
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "tests/build/test_a.py: test_it" in result.stderr.str()


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\npytest.importorskip('no_such_package')\n" + PASSES,
        "import pytest\n\ndef test_it(): pytest.skip('no such tool')\n",
        "import pytest\n\n@pytest.mark.skip('another day')\n" + PASSES,
        "import pytest\n\n@pytest.fixture\ndef fox(): pytest.skip('no such tool')\n\n"
        "def test_it(fox): pass\n",
    ],
)
def test_in_ci_a_skipped_test_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    write(pytester, test_a=text, test_other=PASSES)
    here = run(pytester)
    assert here.ret == 0
    here.assert_outcomes(passed=1, skipped=1)
    monkeypatch.setenv("CI", "true")
    there = run(pytester)
    assert there.ret != 0
    assert "in CI nobody would notice: " in there.stdout.str()


def test_in_ci_what_another_platform_runs_may_be_skipped(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    elsewhere = "@pytest.mark.skipif(True, reason='platform: macOS has no such names')\n"
    fails = "@pytest.mark.xfail\ndef test_fails(): assert False\n"
    write(pytester, test_a=f"import pytest\n{elsewhere}{PASSES}{fails}")
    result = run(pytester)
    assert result.ret == 0
    result.assert_outcomes(skipped=1, xfailed=1)


def test_ruff_reads_every_file() -> None:
    """It may leave out folders by name, too: older releases did so with ``build``."""
    ruff = [Path(sys.executable).with_name("ruff"), "check", "--show-files", "."]
    read = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(own_files("*.py")) - set(map(Path, read.stdout.splitlines())) == set()


def test_coverage_counts_every_package() -> None:
    """What is left out of the floor is named, and nothing is by accident."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["coverage"]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert set(settings["run"]["source"]) == packages - {"benchmarks"} | {"service"}
