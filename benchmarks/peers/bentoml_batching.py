"""Our own encoder behind ``@bentoml.api(batchable=True)``: what our batcher and routes buy."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.corpus import K
from benchmarks.peers import Peer, Setting
from benchmarks.servers import Command

NAME = "BentoML's own batching"


def peers(setting: Setting) -> list[Peer]:
    """Searching."""
    bentoml = str(Path(sys.executable).parent / "bentoml")
    service = "benchmarks.peers.bentoml_service:Batched"
    return [
        Peer(
            NAME,
            NAME,
            "search",
            Command(
                [bentoml, "serve", service, "--host", "127.0.0.1", "--port", "{port}"],
                probe="/readyz",
                variables={
                    "PEER_BUNDLE": str(setting.corpus.bundle),
                    "PEER_THREADS": str(setting.threads),
                },
            ),
            "/search",
            lambda text: {"texts": [text]},
            lambda answer: len(answer) == 1 and len(answer[0]["image_paths"]) == K,
            "Sightline's encoder (int8) and index behind @bentoml.api(batchable=True)",
        )
    ]
