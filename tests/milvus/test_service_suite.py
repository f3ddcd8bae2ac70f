"""The service's own tests, with applications that search in Milvus."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.milvus.collections import Place

# What searches; the rest is the same wherever that is done.  `make milvus` runs all of them.
_FILES = [
    f"tests/serving/test_{name}.py"
    for name in ("answers", "facets", "folding", "modes", "order", "spelling")
]


def test_it_is_green(place: Place) -> None:
    address = place("suite")
    to = f"milvus+file://{address}" if address.is_file else f"milvus+{address}"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_FILES],
        env=os.environ | {"SIGHTLINE_TEST_COLLECTION": to},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
