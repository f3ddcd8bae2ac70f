"""This system, as ``make serve`` starts it."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.corpus import K
from benchmarks.peers import Peer, Setting
from benchmarks.servers import Command

NAME = "Sightline"


def command(bundle: Path, threads: int, cache_size: int = 0) -> Command:
    """Serve a bundle; ``cache_size`` is how many queries' vectors are remembered."""
    return Command(
        [sys.executable, "-m", "serving", "--host", "127.0.0.1", "--port", "{port}"],
        probe="/readyz",
        variables={
            "SIGHTLINE_BUNDLE": str(bundle),
            "SIGHTLINE_THREADS": str(threads),
            "SIGHTLINE_CACHE_SIZE": str(cache_size),
        },
    )


def search_peer(bundle: Path, threads: int, cache_size: int = 0) -> Peer:
    """Answers ``POST /search``."""
    return Peer(
        NAME,
        NAME,
        "search",
        command(bundle, threads, cache_size),
        "/search",
        lambda text: {"query": text, "k": K},
        lambda answer: len(answer["results"]) == K,
        "BentoML, int8, no cache" if cache_size == 0 else "BentoML, int8, cache",
    )


def peers(setting: Setting) -> list[Peer]:
    """Searching, and encoding alone."""
    served = command(setting.corpus.bundle, setting.threads)
    return [
        search_peer(setting.corpus.bundle, setting.threads),
        Peer(
            NAME,
            NAME,
            "encode",
            served,
            "/encode",
            lambda text: {"texts": [text]},
            lambda answer: len(answer["embeddings"]) == 1,
            "BentoML, int8, no cache",
        ),
    ]
