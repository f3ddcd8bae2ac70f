"""Measure this system beside its peers on this machine: ``make bench``.

The same ViT-B/32 weights for all (random ones, since cost does not depend on them), the
same 100,000 clustered vectors, the queries of ``queries.txt``, the same processors.  Prints
medians and ratios, writes every figure to ``benchmarks/results/latest.json``, and draws
``docs/bench.png``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import (
    building,
    cache,
    coldstart,
    encoders,
    endurance,
    filters,
    http_throughput,
    machine,
    overload,
    report,
)
from benchmarks.corpus import Corpus
from benchmarks.environments import installed
from benchmarks.figures import merge, written
from benchmarks.peers import Setting, Work
from benchmarks.peers.catalogue import MAKERS, collect
from benchmarks.servers import ROOT

_RESULTS = Path(__file__).parent / "results" / "latest.json"
_PLOT = ROOT / "docs" / "bench.png"
PHASES = (
    *("encoders", "search", "encode", "cache", "coldstart", "endurance", "building"),
    *("overload", "filters"),
)


def main() -> int:
    """Run the phases asked for, in turn."""
    arguments = _arguments()
    servers, others = machine.cores(arguments.threads)
    # The load generator keeps off the servers' processors where there are others.
    os.sched_setaffinity(0, others)
    corpus = Corpus(arguments.work, arguments.quick)
    phases = _phases(corpus, servers, arguments)
    new: dict[str, Any] = {"machine": machine.describe(arguments.threads), "phases": {}}
    old = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    for name in arguments.only:
        print(f"\n{name}", flush=True)
        taken = phases[name]()
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        new["phases"][name] = {"measured_at": stamp, "quick": arguments.quick, "figures": taken}
        same = machine.is_same(old.get("machine", {}), new["machine"])
        results = merge(old, new, same_machine=same)
        # After each phase, so that one that fails does not take the others with it.
        arguments.results.parent.mkdir(parents=True, exist_ok=True)
        arguments.results.write_text(written(results), encoding="utf-8")
    shown = {
        "machine": results["machine"],
        "phases": {name: phase["figures"] for name, phase in results["phases"].items()},
    }
    print("\n" + report.tables(shown))
    from benchmarks.plots import draw

    if draw(shown, arguments.plot):
        print(f"\n{arguments.results} and {arguments.plot} are written")
    return 0


def _phases(
    corpus: Corpus, cores: list[int], arguments: argparse.Namespace
) -> Mapping[str, Callable[[], dict[str, Any]]]:
    quick, long = arguments.quick, arguments.long
    logs = corpus.folder / "logs"
    rounds = 1 if quick else arguments.rounds
    seconds = 0.5 if quick else 10.0
    setting = Setting(corpus, len(cores), corpus.folder / "venvs")
    marks, alone = ([200], 0) if quick else ([10_000], 0)
    if long and not quick:
        marks, alone = [10_000, 60_000], 20_000

    def over_http(work: Work) -> dict[str, Any]:
        chosen = {name: MAKERS[name] for name in arguments.peers}
        peers, missing = collect(setting, chosen)
        peers = [peer for peer in peers if peer.work == work]
        measured, failed = http_throughput.compare(
            peers, corpus.queries, cores, logs, rounds, seconds
        )
        return {
            "images": corpus.count,
            "peers": measured,
            "missing": missing | failed,
            "client_ms": http_throughput.client_cost(),
            "versions": {name: installed(name, setting.environments) for name in arguments.peers},
        }

    return {
        "encoders": lambda: encoders.measure(corpus, cores, rounds, quick),
        "search": lambda: over_http("search"),
        "encode": lambda: over_http("encode"),
        "cache": lambda: cache.measure_zipf(corpus, cores, logs, 200 if quick else 10_000),
        "coldstart": lambda: coldstart.measure_starts(corpus, cores, logs, 1 if quick else 5),
        "endurance": lambda: endurance.measure_endurance(corpus, cores, logs, marks, alone),
        "overload": lambda: overload.measure_overload(corpus, cores[:1], logs, 2 * seconds),
        "filters": lambda: filters.measure_filters(corpus, cores, logs, seconds),
        "building": lambda: building.measure(corpus, cores, rounds, quick),
    }


def _arguments() -> argparse.Namespace:
    usable = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        type=_names(PHASES),
        default=PHASES,
        metavar=",".join(PHASES),
        help="these phases; the results keep what an earlier run measured of the others",
    )
    parser.add_argument(
        "--peers",
        type=_names(tuple(MAKERS)),
        default=tuple(MAKERS),
        metavar=",".join(MAKERS),
        help="only these, in the phases over HTTP",
    )
    parser.add_argument("--threads", type=int, default=usable, help="cores, and threads each")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken")
    parser.add_argument(
        "--long", action="store_true", help="70,000 searches more, for leaks and stalls: 6 minutes"
    )
    parser.add_argument(
        "--quick", action="store_true", help="see that everything runs; the figures mean nothing"
    )
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--results", type=Path, default=_RESULTS)
    parser.add_argument("--plot", type=Path, default=_PLOT)
    return parser.parse_args()


def _names(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return read


if __name__ == "__main__":
    sys.exit(main())
