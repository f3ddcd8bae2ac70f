"""A measurement in a process of its own that does a round whenever it is asked.

PyTorch's threads go on spinning after a run and would slow down whoever comes next in the
same process.  So each of those that are compared has a process, which waits for a line and
answers with one: the rounds of all are interleaved while only one of them works.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from benchmarks.servers import ROOT

Figures = dict[str, float]
# As long as the threads of whoever worked before may go on spinning.
_PAUSE_SECONDS = 0.5


def interleave(
    module: str, arguments: Mapping[str, Sequence[str]], cores: Sequence[int], rounds: int
) -> dict[str, list[Figures]]:
    """The rounds of several workers, by their names.

    Args:
        module: run as ``python -m``; it has to call :func:`answer`.
        arguments: of each worker, by its name.
        cores: the processors that each of them may use.
        rounds: how often each of them is asked.
    """
    taken: dict[str, list[Figures]] = {name: [] for name in arguments}
    with contextlib.ExitStack() as stack:
        asks = {
            name: stack.enter_context(_worker([sys.executable, "-m", module, *given], cores))
            for name, given in arguments.items()
        }
        for number in range(rounds):
            for name, ask in asks.items():
                print(f"{name}: round {number + 1} of {rounds}", flush=True)
                time.sleep(_PAUSE_SECONDS)
                taken[name].append(ask())
    return taken


def answer(measure: Callable[[], Figures]) -> None:
    """In a worker: measure a round for each line of input."""
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


@contextlib.contextmanager
def _worker(command: Sequence[str], cores: Sequence[int]) -> Iterator[Callable[[], Figures]]:
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, answers = process.stdin, process.stdout

    def line() -> str:
        text = answers.readline()
        if not text:
            raise RuntimeError(f"{' '.join(command)} ended with {process.wait()}")
        return text

    def ask() -> Figures:
        asked.write("\n")
        asked.flush()
        figures: Figures = json.loads(line())
        return figures

    try:
        # Loaded and warm, so that loading does not disturb another's round.
        line()
        yield ask
    finally:
        asked.close()
        process.wait()
