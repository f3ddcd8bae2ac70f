"""What contributors and GitHub read is true to the project: workflow, forms, hooks, changelog."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
import yaml

from tests.own_files import ROOT
from tests.tools import require_module

GITHUB = ROOT / ".github"


def document(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [("github-workflows", "workflows/*.yml"), ("github-issue-forms", "ISSUE_TEMPLATE/[!c]*.yml")],
)
def test_github_can_read_it(schema: str, pattern: str) -> None:
    require_module("check_jsonschema", "what GitHub reads is validated")
    files = [str(path) for path in sorted(GITHUB.glob(pattern))]
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    checked = subprocess.run([*command, *files], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_workflow_runs_what_ci_runs_on_every_python() -> None:
    job = document(".github/workflows/ci.yml")["jobs"]["test"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    versions = job["strategy"]["matrix"]["python"]
    assert f">={versions[0]}" == project["requires-python"]
    assert versions == [f"3.{minor}" for minor in range(11, 11 + len(versions))]
    linux, macos = [step for step in job["steps"] if "run" in step]
    assert linux["run"].endswith(" .ci/run")
    # After the packages that apt has.
    last = (ROOT / ".ci" / "run").read_text("utf-8").rpartition("\nfi\n")[2]
    assert macos["run"].rstrip() == last.strip()


def test_the_hooks_run_the_ruff_that_lint_runs() -> None:
    locked = re.findall(
        "^ruff==.*$", (ROOT / "requirements/test.txt").read_text("utf-8"), re.MULTILINE
    )
    hooks = [
        hook for each in document(".pre-commit-config.yaml")["repos"] for hook in each["hooks"]
    ]
    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format"]
    assert [hook["additional_dependencies"] for hook in hooks] == [locked, locked]


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *released = re.findall("^## (.*)$", text, re.MULTILINE)
    assert first == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", each) for each in released)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall("^### (.*)$", text, re.MULTILINE)) <= kinds


def test_every_folder_of_tests_is_told() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    there = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    assert there == set(re.findall(r"`tests/(\w+)`", told))
