"""With the query cache on, under queries as people repeat them."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import measure
from benchmarks.corpus import Corpus
from benchmarks.figures import zipf_ranks
from benchmarks.peers import sightline
from benchmarks.servers import Running, running

_CLIENTS = 32
_EXPONENT = 1.0
# Fewer than there are distinct queries, so that the cache has to choose.
_CACHE_SIZE = 1000
_COUNTERS = {"hits": "sightline_cache_hits_total", "misses": "sightline_cache_misses_total"}


def measure_zipf(corpus: Corpus, cores: Sequence[int], logs: Path, requests: int) -> dict[str, Any]:
    """The same draws of the 2,000 queries with the cache off and on."""
    ranks = zipf_ranks(len(corpus.queries), requests, _EXPONENT)
    texts = [corpus.queries[rank] for rank in ranks]
    result: dict[str, Any] = {
        "exponent": _EXPONENT,
        "requests": requests,
        "distinct": len(set(texts)),
        "cache_size": _CACHE_SIZE,
    }
    for name, size in (("off", 0), ("on", _CACHE_SIZE)):
        peer = sightline.search_peer(corpus.bundle, len(cores), cache_size=size)
        print(f"{peer.name}: cache {name}, {requests} searches", flush=True)
        with running(peer.command, cores, logs / f"cache-{name}.log") as server:
            before = _counters(server)
            load = measure(server.port, peer.path, map(peer.body, texts), _CLIENTS)
            after = _counters(server)
        hits, misses = (after[key] - before[key] for key in ("hits", "misses"))
        hit_rate = hits / (hits + misses) if hits + misses else 0.0
        result[name] = {"hit_rate": hit_rate, **load.as_json()}
    return result


def read_counter(exposition: str, name: str) -> float:
    """The sum of a counter's samples in Prometheus's text format, 0 if it has none."""
    pattern = rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)"
    return sum(float(value) for value in re.findall(pattern, exposition, re.MULTILINE))


def _counters(server: Running) -> dict[str, float]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as response:
        exposition = response.read().decode()
    return {key: read_counter(exposition, name) for key, name in _COUNTERS.items()}
