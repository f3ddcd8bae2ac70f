"""Milvus as a server and as a file."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.bundle import Bundle
from tests.milvus.collections import KINDS, Place, Server
from tests.tools import require_module


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("platform: PyPI has Milvus for Linux on x86-64")
    require_module("milvus", "a server is asked")
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Gives the address of a collection by its name."""
    if request.param == "lite":
        require_module("milvus_lite", "a file is asked")
        from models.milvus.address import Address

        folder = tmp_path_factory.mktemp("lite")
        return lambda name: Address.parse(f"milvus+file://{folder}/{name}.db")
    running: Server = request.getfixturevalue("server")
    return running.address


@pytest.fixture(scope="session")
def demo(demo_bundle: Path) -> Bundle:
    return Bundle.open(demo_bundle)
