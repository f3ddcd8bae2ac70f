"""Searching, and encoding alone, over HTTP: every peer at 1, 8 and 32 clients."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import Load, measure, own_cost
from benchmarks.figures import medians
from benchmarks.peers import Peer
from benchmarks.servers import Running, ServerFailedError, running

CONCURRENCIES = (1, 8, 32)
_FIGURES = ("per_second", "mean", "p50", "p95", "p99")
_WARM_UP_REQUESTS = 64


def compare(
    peers: Sequence[Peer],
    queries: Sequence[str],
    cores: Sequence[int],
    logs: Path,
    rounds: int,
    seconds: float,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Start each peer in turn and load it; all of that ``rounds`` times.

    Returns:
        By peer: medians and rounds by number of clients; and the reason for each that
        could not be measured.
    """
    taken: dict[str, list[list[Load]]] = {peer.name: [] for peer in peers}
    failed: dict[str, str] = {}
    for number in range(rounds):
        for peer in peers:
            if peer.name in failed:
                continue
            print(f"{peer.name}: {peer.work}, round {number + 1} of {rounds}", flush=True)
            log = logs / f"{peer.name.replace(' ', '-').replace(',', '')}.log"
            try:
                with running(peer.command, cores, log) as server:
                    _check(server, peer)
                    taken[peer.name].append(list(_loads(server, peer, queries, seconds)))
            except (ServerFailedError, ConnectionError, EOFError) as error:
                failed[peer.name] = f"does not run: {error}"
    measured = {
        peer.name: {
            "family": peer.family,
            "about": peer.about,
            "clients": {
                str(loads[0].clients): {
                    "median": medians([{key: vars(one)[key] for key in _FIGURES} for one in loads]),
                    "steps_ms": medians([one.steps for one in loads]),
                    "rounds": [load.as_json() for load in loads],
                }
                for loads in zip(*taken[peer.name], strict=True)
            },
        }
        for peer in peers
        if taken[peer.name]
    }
    return measured, failed


def client_cost() -> dict[str, float]:
    """Milliseconds that the load generator needs for a request itself, by clients."""
    return {str(clients): own_cost(clients) for clients in CONCURRENCIES}


def _loads(server: Running, peer: Peer, queries: Sequence[str], seconds: float) -> Iterator[Load]:
    """The queries at each concurrency, going on where the last one stopped."""
    endless = (peer.body(query) for query in itertools.cycle(queries))
    warm_up = itertools.islice(endless, _WARM_UP_REQUESTS)
    measure(server.port, peer.path, warm_up, CONCURRENCIES[-1], seconds)
    for clients in CONCURRENCIES:
        yield measure(server.port, peer.path, endless, clients, seconds)


def _check(server: Running, peer: Peer) -> None:
    """See that what comes back is an answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{peer.path}",
        json.dumps(peer.body("a red fox")).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with opener.open(request, timeout=60) as response:
            good = peer.answered(json.load(response))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ServerFailedError(f"its first answer is an error: {error}") from error
    if not good:
        raise ServerFailedError("its first answer is not what was asked for")
