"""Measure this system beside its peers on this machine: ``make bench``.

Random ViT-B/32 weights, since cost does not depend on them; 100,000 clustered vectors; the
queries of ``queries.txt``.  Prints medians and ratios, and writes all figures to
``benchmarks/results/latest.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import clients
from benchmarks.corpus import prepare
from benchmarks.make_queries import QUERIES

_ROOT = Path(__file__).resolve().parent.parent
_RESULTS = Path(__file__).parent / "results" / "latest.json"
_BIN = Path(sys.executable).parent
_ROUNDS = 5
_CONCURRENCIES = (1, 8, 32)


def main() -> int:
    """Run everything in turn."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--work", type=Path, default=_ROOT / ".cache" / "bench")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    package, vectors, bundle = prepare(arguments.work)
    queries = QUERIES.read_text(encoding="utf-8").splitlines()

    encoding = _encoding(package, queries, arguments.threads)
    loop = _plain_loop(bundle, queries, arguments.threads)
    serving = {"sightline": _sightline(bundle, queries, arguments.threads)}
    for server in ("flask", "waitress"):
        if find_spec(server) is None:
            print(f"{server} is not installed: not measured", file=sys.stderr)
            continue
        serving[f"{server} + torch"] = _flask(vectors, server, queries, arguments.threads)
    results = {
        "machine": _machine(arguments.threads),
        "texts_per_second": encoding,
        "plain_loop_per_second": loop,
        "client_ms_per_request": clients.own_cost(),
        "http": {name: [load.as_json() for load in loads] for name, loads in serving.items()},
    }
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    _show(results)
    return 0


def _encoding(package: Path, queries: Sequence[str], threads: int) -> dict[str, float]:
    """Texts a second of each encoder in process: medians over interleaved rounds."""
    import open_clip
    import torch

    from build.export.text_graph import text_graph
    from build.export.text_tower import take_apart
    from models.manifest import ModelCard
    from models.text_encoder import TextEncoder
    from models.tokenizer import Tokenizer

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, _, _ = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    model.eval()
    theirs = open_clip.get_tokenizer("ViT-B-32")
    card = ModelCard.read(package)
    tower = take_apart(model)
    assert tower is not None
    fp32 = package.parent / "fp32"
    fp32.mkdir(exist_ok=True)
    (fp32 / "text_encoder.onnx").write_bytes(text_graph(tower, "fp32").SerializeToString())
    tokenizer = Tokenizer.load(package, card)
    encoders = {
        "int8": TextEncoder(package, card, threads=threads),
        "fp32": TextEncoder(fp32, card, threads=threads),
    }

    def with_torch(texts: Sequence[str]) -> None:
        with torch.no_grad():
            model.encode_text(theirs(list(texts)))

    runs: dict[str, Callable[[], int]] = {}
    for batch, count in ((1, 8), (8, 16), (32, 64)):
        runs[f"torch, batch {batch}"] = _in_batches(with_torch, queries[:count], batch)
    for name, encoder in encoders.items():

        def with_ours(texts: Sequence[str], encoder: TextEncoder = encoder) -> None:
            encoder.encode(tokenizer.encode(texts))

        runs[f"{name}, batch 1"] = _in_batches(with_ours, queries[:200], 1)
        runs[f"{name}, batch 32"] = _in_batches(with_ours, queries[:640], 32)
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            began = time.perf_counter()
            count = run()
            rates[name].append(count / (time.perf_counter() - began))
    return {name: statistics.median(some) for name, some in rates.items()}


def _in_batches(
    encode: Callable[[Sequence[str]], None], texts: Sequence[str], size: int
) -> Callable[[], int]:
    def run() -> int:
        for start in range(0, len(texts), size):
            encode(texts[start : start + size])
        return len(texts)

    return run


def _plain_loop(bundle: Path, queries: Sequence[str], threads: int) -> dict[str, float]:
    """Queries a second of tokenise + encode + search in one process, nothing else."""
    import faiss

    from models.bundle import Bundle

    opened = Bundle.open(bundle, threads=threads)
    faiss.omp_set_num_threads(threads)

    def answer(texts: Sequence[str]) -> None:
        opened.index.search(opened.text_encoder.encode(opened.tokenizer.encode(texts)), 5)

    rates = {}
    for batch, count in ((1, 300), (32, 1600)):
        run = _in_batches(answer, queries[:count], batch)
        run()
        some = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            some.append(run() / (time.perf_counter() - began))
        rates[f"batch {batch}"] = statistics.median(some)
    return rates


def _sightline(bundle: Path, queries: Sequence[str], threads: int) -> list[clients.Load]:
    port = _free_port()
    command = [str(_BIN / "bentoml"), "serve", "service:Sightline", "--port", str(port)]
    more = {"SIGHTLINE_BUNDLE": str(bundle), "SIGHTLINE_THREADS": str(threads)}
    with _running(command, port, "/readyz", more):
        return _loads(port, queries, per_client=60)


def _flask(vectors: Path, server: str, queries: Sequence[str], threads: int) -> list[clients.Load]:
    port = _free_port()
    peer = "benchmarks.peers.flask_stack"
    command = [sys.executable, "-m", peer, str(vectors), str(port), str(threads), server]
    with _running(command, port, "/", {}):
        return _loads(port, queries, per_client=4)


def _loads(port: int, queries: Sequence[str], per_client: int) -> list[clients.Load]:
    """The queries at each concurrency, all different; the first ones warm the server up."""
    bodies = [{"query": query, "k": 5} for query in queries]
    clients.measure(port, "/search", bodies[-32:], 8)
    loads = []
    for concurrency in _CONCURRENCIES:
        count = min(len(bodies), max(per_client * concurrency, 10 * per_client))
        loads.append(clients.measure(port, "/search", bodies[:count], concurrency))
    return loads


@contextlib.contextmanager
def _running(
    command: Sequence[str], port: int, probe: str, more: Mapping[str, str]
) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env=os.environ | more,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"http://127.0.0.1:{port}{probe}", process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(address: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"error: the server for {address} ended with {process.returncode}")
        try:
            opener.open(address, timeout=2)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return
        except OSError:
            pass
        else:
            return
        time.sleep(0.2)
    raise SystemExit(f"error: nothing answers at {address}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _machine(threads: int) -> dict[str, Any]:
    names = ("bentoml", "faiss-cpu", "onnxruntime", "open_clip_torch", "torch", "flask")
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in names},
    }


def _show(results: Mapping[str, Any]) -> None:
    texts = results["texts_per_second"]
    best = max(rate for name, rate in texts.items() if name.startswith("torch"))
    print(f"\n{'texts encoded':28}{'per second':>12}{'ratio':>8}")
    for name, rate in texts.items():
        single = name.endswith("batch 1")
        base = texts["torch, batch 1"] if single else best
        print(f"{name:28}{rate:12.1f}{rate / base:8.1f}")
    for name, rate in results["plain_loop_per_second"].items():
        print(f"{'plain loop, ' + name:28}{rate:12.1f}")
    print(
        f"\n{'HTTP, 100,000 pictures':28}{'clients':>8}{'per second':>12}{'p50 ms':>9}{'p99 ms':>9}"
    )
    for name, loads in results["http"].items():
        for load in loads:
            print(
                f"{name:28}{load['clients']:8}{load['per_second']:12.1f}"
                f"{load['p50']:9.2f}{load['p99']:9.2f}"
                + (f"  {load['failed']} failed" if load["failed"] else "")
            )
    print(f"\nthe client itself: {results['client_ms_per_request']:.3f} ms a request")


if __name__ == "__main__":
    sys.exit(main())
