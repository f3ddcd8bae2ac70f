"""What a part of the program imports is in the lock files that its users install."""

import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("build", "loadtests", "models", "serving", "ui")


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True)


@pytest.mark.parametrize(
    ("part", "locks"),
    [
        ("serving", ["serve", "remote", "speech", "formats", "milvus"]),
        (
            "build",
            [
                "serve",
                "export",
                "build",
                "formats",
                "milvus",
                "parquet",
                "remote",
                "lance",
                "ray",
                "caption",
                "ocr",
                "demo-model",
            ],
        ),
        ("build.demo_model", ["demo-model", "formats"]),
        ("build.captioner", ["serve", "build", "formats", "caption"]),
        ("build.ocr", ["serve", "build", "formats", "ocr"]),
        ("ui.app", ["ui"]),
        ("ui.mcp", ["mcp"]),
        ("loadtests", ["loadtest"]),
    ],
)
def test_a_part_imports_what_its_locks_install(
    imports: grimp.ImportGraph, part: str, locks: list[str]
) -> None:
    installed = {
        canonicalize_name(Requirement(line).name)
        for lock in locks
        for line in (ROOT / f"requirements/{lock}.txt").read_text("utf-8").splitlines()
        if not line.lstrip().startswith("#")
    }
    not_from_a_lock = {*PACKAGES, "service", *sys.stdlib_module_names}
    distributions = packages_distributions()
    missing = set()
    for module in imports.find_upstream_modules(part, as_package=True):
        candidates = {canonicalize_name(name) for name in distributions.get(module, [module])}
        if module.split(".")[0] not in not_from_a_lock and not candidates & installed:
            missing.add(module)
    assert missing == set()
