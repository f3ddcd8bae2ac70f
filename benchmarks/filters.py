"""Searches among those that a filter keeps: how right, how fast, and what they cost others."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clients import Load, measure
from benchmarks.corpus import PARTS, Corpus
from benchmarks.peers import sightline
from benchmarks.servers import Running, running
from models.wording import undressed

_K = 10
_PROBES = 50
_CLIENTS = 16
_LOOK_EVERY_SECONDS = 0.02


def measure_filters(
    corpus: Corpus, cores: Sequence[int], logs: Path, seconds: float
) -> dict[str, Any]:
    """Filters that keep a thousandth, three hundredths and a third of a million images.

    Args:
        corpus: for the bundle whose images have facts.
        cores: the server's processors.
        logs: where its output goes.
        seconds: how long each load lasts.
    """
    bundle, vectors, parts = corpus.with_facts
    few, many = 3 * PARTS // 100, PARTS // 3
    filters = {
        "none": None,
        "0.1 %": {"part": 0},
        "3 %": {"part": {"lt": few}},
        "33 %": {"part": {"lt": many}},
    }
    kept = {"none": parts >= 0, "0.1 %": parts == 0, "3 %": parts < few, "33 %": parts < many}
    command = sightline.command(bundle, len(cores))
    with running(command, cores, logs / "filters.log") as server:
        # As a search reads them: /encode takes texts as they are.
        probes = _vectors(server, [undressed(query) for query in corpus.queries[:_PROBES]])
        result: dict[str, Any] = {"images": len(parts), "by_filter": {}}
        for name, asked in filters.items():
            print(f"a filter that keeps {name}", flush=True)
            found = [_found(server, query, asked) for query in corpus.queries[:_PROBES]]
            result["by_filter"][name] = {
                "recall": _recall(found, probes, vectors, np.flatnonzero(kept[name])),
                "load": _load(server, corpus.queries, [asked], 1, seconds).as_json(),
            }
        wanted = [each for each in filters.values() if each is not None]
        for name, beside in (("searching", [None]), ("filtering", wanted)):
            print(f"1 client beside {_CLIENTS} that are {name}", flush=True)
            result[f"beside_{name}"] = _beside(server, corpus.queries, beside, seconds)
    return result


def _beside(
    server: Running, queries: Sequence[str], filters: Sequence[Any], seconds: float
) -> dict[str, Any]:
    """What one client without a filter meets, and the slowest ``/livez``, beside others."""
    others: list[Load] = []

    def load() -> None:
        others.append(_load(server, queries, filters, _CLIENTS, seconds))

    busy = threading.Thread(target=load)
    looks: list[float] = []
    looker = threading.Thread(target=_look, args=(server, busy, looks))
    busy.start()
    looker.start()
    busy.join(min(1.0, seconds / 4))
    one = _load(server, queries, [None], 1, seconds / 2)
    busy.join()
    looker.join()
    return {
        "one": one.as_json(),
        "others": others[0].as_json(),
        "slowest_livez_ms": max(looks),
        "looks": len(looks),
    }


def _look(server: Running, busy: threading.Thread, looks: list[float]) -> None:
    """Ask for ``/livez`` again and again as long as a load lasts; milliseconds each."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    while busy.is_alive():
        began = time.perf_counter()
        connection.request("GET", "/livez")
        connection.getresponse().read()
        looks.append(1e3 * (time.perf_counter() - began))
        time.sleep(_LOOK_EVERY_SECONDS)
    connection.close()


def _load(
    server: Running, queries: Sequence[str], filters: Sequence[Any], clients: int, seconds: float
) -> Load:
    bodies = (
        {"query": query, "k": _K} | ({"filter": asked} if asked else {})
        for query, asked in zip(itertools.cycle(queries), itertools.cycle(filters), strict=False)
    )
    return measure(server.port, "/search", bodies, clients, seconds)


def _found(server: Running, query: str, asked: object) -> set[int]:
    """The numbers of the images that a search finds."""
    body = {"query": query, "k": _K} | ({"filter": asked} if asked else {})
    hits = _post(server, "/search", body)["results"]
    return {int(Path(hit["image_path"]).stem) for hit in hits}


def _vectors(server: Running, texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array(_post(server, "/encode", {"texts": texts})["embeddings"], dtype=np.float32)


def _recall(
    found: Sequence[set[int]],
    probes: NDArray[np.float32],
    vectors: NDArray[np.float32],
    kept: NDArray[np.int64],
) -> float:
    """The share of the true nearest among those kept that were found."""
    # In blocks, so that a third of a million vectors need not be there twice.
    scores = np.concatenate(
        [probes @ vectors[some].T for some in np.array_split(kept, 1 + len(kept) // 50_000)], axis=1
    )
    # Equals to six decimals in the order of their positions, as the service has them.
    order = np.lexsort((np.broadcast_to(kept, scores.shape), -np.round(scores, 6)), axis=1)
    nearest = kept[order[:, :_K]]
    shared = [len(some & set(true.tolist())) for some, true in zip(found, nearest, strict=True)]
    return sum(shared) / nearest.size


def _post(server: Running, path: str, body: object) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
