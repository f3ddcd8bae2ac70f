"""The service's own tests, with applications that search in Milvus."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.milvus.collections import Place

# What differs by where it is searched.  `make milvus` runs all of them.
_OF_A_FILE = ("answers", "facets", "modes")
_OF_A_SERVER = ("answers", "facets", "order")


def test_it_is_green(place: Place) -> None:
    address = place("suite")
    names = _OF_A_FILE if address.is_file else _OF_A_SERVER
    files = [f"tests/serving/test_{name}.py" for name in names]
    to = f"milvus+file://{address}" if address.is_file else f"milvus+{address}"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        env=os.environ | {"SIGHTLINE_TEST_COLLECTION": to},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
