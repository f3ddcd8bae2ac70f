"""The document at ``/docs.json`` and what really answers: schemathesis looks for a difference.

``SIGHTLINE_TEST_EXAMPLES=2000`` makes it look longer.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.settings import PROTOCOLS
from tests.serving.conftest import Make, listening

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = os.environ.get("SIGHTLINE_TEST_EXAMPLES", "20")
KEY = "k"


@pytest.fixture
def address(make: Make) -> Iterator[str]:
    """Where the application answers, with a key and everything else as it comes."""
    with listening(make(api_keys=KEY, protocols=" ".join(PROTOCOLS))) as port:
        yield f"http://127.0.0.1:{port}"


def test_what_answers_is_what_is_documented(address: str, tmp_path: Path) -> None:
    command = [Path(sys.executable).parent / "schemathesis", "run", f"{address}/docs.json"]
    options = ["--checks", "all", "--max-examples", EXAMPLES, "--seed", "1", "--no-color"]
    options += ["--header", f"Authorization: Bearer {KEY}", "--suppress-health-check", "all"]
    command[1:1] = ["--config-file", ROOT / "schemathesis.toml"]
    run = subprocess.run(
        [*map(str, command), *options], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
    tested = re.search(r"Tested: (\d+)", run.stdout)
    cases = re.search(r"(\d+) generated, \d+ passed", run.stdout)
    assert tested
    assert cases
    assert int(tested[1]) >= 20
    assert int(cases[1]) >= 10 * int(EXAMPLES)
