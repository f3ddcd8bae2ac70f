"""Collections in Milvus for tests: of a server that PyPI carries, and of Milvus Lite."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from pymilvus import MilvusClient

from build.load import BundleImages, load
from models.bundle import Bundle
from models.milvus.address import Address
from models.milvus.collection import MilvusCollection

KINDS = ("lite", "server")
Place = Callable[[str], Address]


class Server:
    """A standalone Milvus 2.3, which can be killed and started again where it was.

    One at a time on a machine: its etcd has a port that cannot be set.
    """

    def __init__(self, folder: Path) -> None:
        from milvus import MilvusServer, MilvusServerConfig

        self.port = _free_port()
        config = MilvusServerConfig(data_dir=str(folder), proxy_port=self.port)
        self._server: Any = MilvusServer(config, wait_for_started=False)
        # Not 9091, which it takes for free where only its IPv6 half is.
        self._server.webservice_port = _free_port()
        self._folder = folder

    def start(self) -> None:
        """Start it, with what the package unpacks for it."""
        self._server.start()
        self._process: subprocess.Popen[bytes] = self._server.server_proc
        self._wait()

    def start_again(self) -> None:
        """The same where the ports of the one that was killed are not free yet to the package."""
        binaries = self._folder / "bin"
        self._process = subprocess.Popen(
            [binaries / "milvus", "run", "standalone"],
            cwd=self._folder,
            env=os.environ
            | {
                "DEPLOY_MODE": "STANDALONE",
                "METRICS_PORT": str(self._server.webservice_port),
                "MILVUS_RUN_DIR": str(self._folder / "run"),
                "LD_LIBRARY_PATH": str(binaries),
            },
            # Harmless: megabytes of a server's log; what goes wrong shows in its answers.
            stdout=subprocess.DEVNULL,
            # Harmless: as above.
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self.kill()
        self._server.stop()

    def address(self, name: str) -> Address:
        return Address.parse(f"milvus+http://127.0.0.1:{self.port}/{name}")

    def _wait(self) -> None:
        health = f"http://127.0.0.1:{self._server.webservice_port}/healthz"
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if "OK" in httpx.get(health).text:
                    return
            assert self._process.poll() is None, "Milvus has ended: is there another?"
            assert time.monotonic() < deadline
            time.sleep(0.1)


def counts_words(address: Address) -> bool:
    """Whether a Milvus has a BM25 function."""
    client = MilvusClient(address.uri)
    version = client.get_server_version()
    client.close()
    return address.is_file or [*map(int, re.findall(r"\d+", version)[:2])] >= [2, 5]


def elsewhere(bundle: Bundle, address: Address) -> Bundle:
    """The same bundle, its images searched in Milvus."""
    load(BundleImages(bundle), address, None, None)
    wait_for(address, bundle, len(bundle.items))
    return Bundle.open(bundle.folder, elsewhere=partial(MilvusCollection, address))


def wait_for(address: Address, bundle: Bundle, count: int) -> None:
    """Until so many are there for readers, which see what was written some seconds later."""
    collection = MilvusCollection(address, bundle.manifest)
    deadline = time.monotonic() + 30
    while collection.count() != count:
        assert time.monotonic() < deadline, f"{collection.count()} of {count} are there"
        time.sleep(0.1)
    collection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
