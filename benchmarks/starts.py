"""From exec to the first answered search for several bundles in turn, warm and cold.

    python -m benchmarks.starts BUNDLE BUNDLE ...

Warm: all files are in the page cache.  Cold: nothing of the bundle's is, while Python and the
libraries are.  Beside the time on the clock, the median of some starts, there is the processor
time of all the server's threads, which other work of the machine disturbs less, and how many
megabytes came from the disk.  Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.coldstart import start
from benchmarks.peers import sightline

_WHAT = ("seconds", "processor_seconds", "read_mb")


def measure(bundles: Sequence[Path], rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """The medians by bundle and state of the page cache."""
    cores = sorted(os.sched_getaffinity(0))
    taken: dict[tuple[Path, str], list[tuple[float, ...]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        # One more than is counted, to bring Python and the libraries into the page cache.
        for number in range(rounds + 1):
            for bundle in bundles:
                for state in ("cold", "warm"):
                    if state == "cold":
                        _forget(bundle)
                    one = _start(bundle, cores, Path(folder) / "log")
                    if number:
                        taken.setdefault((bundle, state), []).append(one)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for (bundle, state), some in taken.items():
        medians = map(statistics.median, zip(*some, strict=True))
        figures.setdefault(str(bundle), {})[state] = dict(zip(_WHAT, medians, strict=True))
    return figures


def _start(bundle: Path, cores: Sequence[int], log: Path) -> tuple[float, ...]:
    worked = read = 0.0

    def answered(pid: int) -> None:
        nonlocal worked, read
        process = psutil.Process(pid)
        worked = sum(process.cpu_times()[:4])
        read = process.io_counters().read_bytes / (1 << 20)

    took = start(sightline.search_peer(bundle, len(cores)), cores, log, answered)
    return took, worked, read


def _forget(bundle: Path) -> None:
    """Let the page cache keep nothing of a bundle."""
    for path in bundle.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            # What is not on the disk yet cannot be forgotten.
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starts", description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.bundles, arguments.rounds), indent=1))


if __name__ == "__main__":
    main()
