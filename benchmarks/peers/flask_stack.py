"""Flask, PyTorch's open_clip at 77 tokens and a flat FAISS index: what this replaces.

Under Flask's own threaded server, waitress and gunicorn; under gunicorn with one process
of as many PyTorch threads as there are cores, and with a process for each core.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.corpus import K
from benchmarks.environments import NotInstalledError
from benchmarks.peers import Peer, Setting
from benchmarks.servers import Command

_BIN = Path(sys.executable).parent
_WEB_THREADS = "4"


def peers(setting: Setting) -> list[Peer]:
    """The stack under each server."""
    for package in ("flask", "waitress", "gunicorn", "open_clip"):
        if find_spec(package) is None:
            raise NotInstalledError(f"{package} is missing: pip install -r requirements/bench.txt")
    threads = str(setting.threads)
    python = [sys.executable, "-m", "benchmarks.peers.flask_app"]
    gunicorn = [str(_BIN / "gunicorn"), "benchmarks.peers.flask_app:from_environment()"]
    gunicorn += ["--bind", "127.0.0.1:{port}", "--timeout", "300", "--threads", _WEB_THREADS]
    servers = {
        "Flask": ([*python, "{port}", "flask"], threads),
        "waitress": ([*python, "{port}", "waitress"], threads),
        "gunicorn": ([*gunicorn, "--workers", "1"], threads),
        f"gunicorn, {threads} workers": ([*gunicorn, "--workers", threads], "1"),
    }
    return [
        Peer(
            f"Flask stack, {name}" if name != "Flask" else "Flask stack",
            "Flask stack",
            "search",
            Command(
                arguments,
                variables={
                    "PEER_WEIGHTS": str(setting.corpus.weights),
                    "PEER_VECTORS": str(setting.corpus.vectors),
                    "PEER_THREADS": torch_threads,
                    "OMP_NUM_THREADS": torch_threads,
                },
            ),
            "/search",
            lambda text: {"query": text, "k": K},
            lambda answer: len(answer["results"]) == K,
            f"PyTorch open_clip, FAISS flat, {torch_threads} PyTorch threads a process",
        )
        for name, (arguments, torch_threads) in servers.items()
    ]
