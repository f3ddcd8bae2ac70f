"""Whether memory grows and answers stall over many searches."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import measure
from benchmarks.corpus import Corpus
from benchmarks.peers import sightline
from benchmarks.servers import running
from models.file_names import EMBEDDINGS, INDEX, ROW_CHECKSUMS

_CLIENTS = 32


def measure_endurance(
    corpus: Corpus, cores: Sequence[int], logs: Path, marks: Sequence[int], alone: int
) -> dict[str, Any]:
    """Resident memory after so many searches, then latencies of one client.

    Args:
        corpus: for its bundle and its queries.
        cores: the server's processors.
        logs: where its output goes.
        marks: after how many searches memory is read, ascending.
        alone: how many searches one client makes afterwards; 0 for none.
    """
    peer = sightline.search_peer(corpus.bundle, len(cores))
    endless = (peer.body(query) for query in itertools.cycle(corpus.queries))
    # The vectors are a mapped file: they count as resident as far as they have been read.
    files = [corpus.bundle / name for name in (INDEX, EMBEDDINGS, ROW_CHECKSUMS)]
    # A small index has them in itself.
    size = sum(path.stat().st_size for path in files if path.exists())
    result: dict[str, Any] = {"index_mb": size / (1 << 20)}
    with running(peer.command, cores, logs / "endurance.log") as server:
        resident = {"0": server.resident_mb()}
        done = 0
        for mark in marks:
            print(f"{mark} searches, {_CLIENTS} clients", flush=True)
            load = measure(server.port, peer.path, itertools.islice(endless, mark - done), _CLIENTS)
            resident[str(mark)] = server.resident_mb()
            result[f"failed_until_{mark}"] = load.failed
            done = mark
        result["resident_mb"] = resident
        if alone:
            print(f"{alone} searches, 1 client", flush=True)
            result["one_client"] = measure(
                server.port, peer.path, itertools.islice(endless, alone), 1
            ).as_json()
    return result
