"""The service's own tests, with applications that search in Milvus."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.milvus.collections import Place

# What searches; the rest is the same wherever that is done.  `make milvus` runs all of them.
_ANYWHERE = ("answers", "facets", "order")
# Of a server nothing else is asked for these than for those above.
_OF_A_FILE = ("folding", "modes", "spelling")


def test_it_is_green(place: Place) -> None:
    address = place("suite")
    names = (*_ANYWHERE, *_OF_A_FILE) if address.is_file else _ANYWHERE
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
