"""More than can be answered: what still is, how soon the rest is refused, who waits for whom."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import Load, flood, measure
from benchmarks.corpus import Corpus
from benchmarks.peers import sightline
from benchmarks.servers import running

# What arrives, in units of what is answered a second when 32 clients ask as fast as they can.
_FACTOR = 2.5
_CLIENTS = 32
_ENCODERS = 64
_TEXTS = 256


def measure_overload(
    corpus: Corpus, cores: Sequence[int], logs: Path, seconds: float
) -> dict[str, Any]:
    """Searches at 2.5 times the knee, and one client's searches beside long ``/encode`` calls.

    Args:
        corpus: for its bundle and its queries.
        cores: the server's processors.
        logs: where its output goes.
        seconds: how long each lasts.
    """
    peer = sightline.search_peer(corpus.bundle, len(cores))
    searches = (peer.body(query) for query in itertools.cycle(corpus.queries))
    with running(peer.command, cores, logs / "overload.log") as server:
        measure(server.port, peer.path, itertools.islice(searches, 64), _CLIENTS)
        alone = measure(server.port, peer.path, searches, 1, seconds)
        print(f"{_CLIENTS} clients", flush=True)
        knee = measure(server.port, peer.path, searches, _CLIENTS, seconds)
        rate = _FACTOR * knee.per_second
        print(f"{rate:.0f} searches a second, whatever is answered", flush=True)
        flooded = flood(server.port, peer.path, searches, rate, seconds)
        print(f"1 client beside {_ENCODERS} that encode {_TEXTS} texts each", flush=True)
        beside, encoded = _beside_encoders(corpus, server.port, peer.path, searches, seconds)
    return {
        "alone": alone.as_json(),
        "knee": knee.as_json(),
        "flood": flooded.as_json(),
        "beside_encoders": beside.as_json(),
        "texts_encoded_beside_per_second": _TEXTS * encoded.per_second,
        "encoders_failed": encoded.failed,
    }


def _beside_encoders(
    corpus: Corpus, port: int, path: str, searches: Iterator[dict[str, Any]], seconds: float
) -> tuple[Load, Load]:
    """What one client that searches meets, and what the others do that encode."""
    texts = list(itertools.islice(itertools.cycle(corpus.queries), _ENCODERS * _TEXTS))
    calls = [{"texts": texts[start : start + _TEXTS]} for start in range(0, len(texts), _TEXTS)]
    found: list[Load] = []

    def encode() -> None:
        found.append(measure(port, "/encode", itertools.cycle(calls), _ENCODERS, seconds))

    encoders = threading.Thread(target=encode)
    encoders.start()
    # Until all of theirs wait.
    encoders.join(min(1.0, seconds / 4))
    beside = measure(port, path, searches, 1, seconds / 2)
    encoders.join()
    return beside, found[0]
