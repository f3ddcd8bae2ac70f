"""Breaks the code line by line: ``python -m tests.mutants [--every N] [--resume] [MODULE...]``.

What is broken, and which tests are asked, is written in pyproject.toml, ``[tool.mutants]``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
import tomllib
from collections import Counter, defaultdict
from pathlib import Path
from typing import TextIO

CACHE = Path(".cache/mutants")
RESULTS = CACHE / "results.jsonl"
# What pytest says, for where it says what is wrong with the tests themselves.
LOG = CACHE / "pytest.log"


def main() -> int:
    """Run, tell each mutant that was not killed, and the score."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", type=Path, metavar="MODULE", help="default: all")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="of all mutants every Nth only"
    )
    parser.add_argument(
        "--resume", action="store_true", help="keep what an earlier run has killed, ask the rest"
    )
    options = parser.parse_args()
    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["mutants"]
    left_out = {Path(name) for name in settings["left_out"]}
    paths = options.modules or [
        path
        for part in settings["packages"]
        for path in sorted(Path(part).glob("*.py"))
        if path not in left_out
    ]
    # One thread each: what is forked has the threads of none.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    CACHE.mkdir(parents=True, exist_ok=True)
    known = _earlier() if options.resume else {}
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    with LOG.open("w") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    return _run(paths, options.every, known, settings, told)


def _run(
    paths: list[Path],
    every: int,
    known: dict[str, str],
    settings: dict[str, list[str]],
    told: TextIO,
) -> int:
    import pytest

    from tests.mutants.breaks import Mutant
    from tests.mutants.running import KILLED, NOT_REACHED, SURVIVED, TIMED_OUT, Mutation, Result

    started = time.monotonic()
    scratch = CACHE / "tmp"
    with RESULTS.open("a" if known else "w") as results:

        def tell(mutant: Mutant, result: Result) -> None:
            line = {"name": mutant.name, "outcome": result.outcome, "test": result.test}
            print(json.dumps(line), file=results, flush=True)
            if result.outcome in (SURVIVED, NOT_REACHED):
                line_number = mutant.lines.start
                print(f"{result.outcome}: line {line_number}: {mutant.name}", file=told, flush=True)

        mutation = Mutation(
            paths, every, {name: Result(outcome) for name, outcome in known.items()}, tell
        )
        tests = ["-q", "-p", "no:cacheprovider", f"--basetemp={scratch}"]
        tests += ["-o", "tmp_path_retention_policy=none", *settings["tests"]]
        tests += [f"--deselect={test}" for test in settings["deselected"]]
        try:
            pytest.main(tests, plugins=[mutation])
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            if not mutation.results:
                print(f"error: nothing was broken: {LOG} says why", file=told, flush=True)
    if not mutation.results:
        return 1
    by_module: dict[str, Counter[str]] = defaultdict(Counter)
    for name, result in mutation.results.items():
        by_module[name.split(":")[0]][result.outcome] += 1
        by_module["all"][result.outcome] += 1
    outcomes = (KILLED, TIMED_OUT, SURVIVED, NOT_REACHED)
    print(f"| module | mutants | {' | '.join(outcomes)} | score |", file=told)
    print("|---|" + "---:|" * 6, file=told)
    for module, counts in by_module.items():
        total = counts.total()
        score = (counts[KILLED] + counts[TIMED_OUT]) / total
        cells = [total, *(counts[each] for each in outcomes), f"{score:.1%}"]
        print(f"| {module} | {' | '.join(map(str, cells))} |", file=told)
    print(f"{(time.monotonic() - started) / 60:.0f} minutes", file=told)
    return 0


def _earlier() -> dict[str, str]:
    lines = RESULTS.read_text("utf-8").splitlines() if RESULTS.exists() else []
    results = [json.loads(line) for line in lines]
    return {
        each["name"]: each["outcome"]
        for each in results
        if each["outcome"] in ("killed", "timed out")
    }


if __name__ == "__main__":
    sys.exit(main())
