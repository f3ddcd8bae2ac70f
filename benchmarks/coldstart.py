"""From exec to the first answered search, everything being in the page cache."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.corpus import Corpus
from benchmarks.peers import Peer, sightline
from benchmarks.servers import ServerFailedError, running

_PATIENCE_SECONDS = 60
_BETWEEN_SECONDS = 0.005


def measure_starts(corpus: Corpus, cores: Sequence[int], logs: Path, rounds: int) -> dict[str, Any]:
    """Seconds until the first answer: each start, and the median of them, by bundle."""
    starts: dict[str, list[float]] = {"ViT-B/32 int8": [], "demo": []}
    bundles = {"ViT-B/32 int8": corpus.bundle, "demo": corpus.demo}
    # One more than is counted, to bring the files into the page cache.
    for number in range(rounds + 1):
        for name, bundle in bundles.items():
            print(f"start {number} of {rounds}: {name}", flush=True)
            peer = sightline.search_peer(bundle, len(cores))
            took = start(peer, cores, logs / "coldstart.log")
            if number:
                starts[name].append(took)
    return {
        name: {"median_seconds": statistics.median(some), "seconds": some}
        for name, some in starts.items()
    }


def start(
    peer: Peer, cores: Sequence[int], log: Path, answered: Callable[[int], None] = lambda pid: None
) -> float:
    """Seconds until a server that is started now has answered a search.

    Args:
        peer: the server.
        cores: the processors that it may use.
        log: where its output goes.
        answered: is given its first process, which still runs then.

    Raises:
        ServerFailedError: it does not answer.
    """
    body = json.dumps(peer.body("a red fox"))
    began = time.perf_counter()
    with running(peer.command, cores, log, wait=False) as server:
        while time.perf_counter() - began < _PATIENCE_SECONDS:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            try:
                connection.request("POST", peer.path, body, {"Content-Type": "application/json"})
                if connection.getresponse().status == 200:
                    took = time.perf_counter() - began
                    answered(server.pid)
                    return took
            except (OSError, http.client.HTTPException):
                # Nobody listens yet.
                pass
            finally:
                connection.close()
            time.sleep(_BETWEEN_SECONDS)
    raise ServerFailedError(f"no search was answered within {_PATIENCE_SECONDS} s, see {log}")
