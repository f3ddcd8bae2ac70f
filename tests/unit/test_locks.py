"""What a part of the program imports is in the lock files that its users install."""

import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("build", "loadtests", "models", "serving", "ui")


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True)


@pytest.mark.parametrize(
    ("part", "locks"),
    [
        ("serving", ["serve", "remote", "speech"]),
        ("build", ["serve", "export", "build", "caption", "demo-model"]),
        ("build.demo_model", ["demo-model"]),
        ("build.captioner", ["serve", "build", "caption"]),
        ("ui", ["ui"]),
        ("loadtests", ["loadtest"]),
    ],
)
def test_a_part_imports_what_its_locks_install(
    imports: grimp.ImportGraph, part: str, locks: list[str]
) -> None:
    installed = {
        name
        for lock in locks
        for name in re.findall(
            r"^([\w.-]+)(?:\[.*\])?==", (ROOT / f"requirements/{lock}.txt").read_text(), re.M
        )
    }
    ours_or_python_s = {*PACKAGES, "service", *sys.stdlib_module_names}
    distributions = packages_distributions()
    modules = imports.find_upstream_modules(part, as_package=True)
    missing = {
        module
        for module in modules
        if module.split(".")[0] not in ours_or_python_s
        and not {_canonical(name) for name in distributions.get(module, [module])} & installed
    }
    assert missing == set()


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
