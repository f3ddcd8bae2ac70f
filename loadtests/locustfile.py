"""Load on a running service, and a verdict::

    make loadtest SHAPE=spike HOST=https://sightline.example.org

or, from any folder and with everything that Locust can do (several machines, its own page)::

    locust -f loadtests/locustfile.py --headless --shape steady --host http://127.0.0.1:3000

``steady`` keeps so many users at it; ``step`` doubles them, and finds the knee; ``spike`` comes
from nothing, twice; ``soak`` is a long steady one.  ``--users`` and ``--run-time`` (of a stage)
change the usual.  The objectives are in ``objectives.toml``; where one is missed the exit status
is 1.  ``SIGHTLINE_API_KEY`` is sent where it is set.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# Locust puts this file's own folder on the path, wherever it is started from.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from locust import LoadTestShape, events
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests.shapes import SHAPES, USERS, stage_at, stages
from loadtests.users import Browser, Filterer, Fumbler, Resembler, Searcher
from loadtests.verdict import SEARCH, Figures, Step, misses, read_objectives, told

__all__ = ["Browser", "Filterer", "Fumbler", "Resembler", "Searcher", "Shape"]


class Shape(LoadTestShape):
    """The stages of the shape that is asked for."""

    use_common_options = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[Step] = []
        self._now: tuple[int, float, int] | None = None

    def tick(self) -> tuple[int, float] | None:
        """How many users now, and how fast they come; None at the end."""
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        assert options is not None
        all_stages = stages(options.shape, options.num_users, options.run_time)
        elapsed = self.get_run_time()  # type: ignore[no-untyped-call]
        number = stage_at(all_stages, elapsed)
        if self._now is None or number != self._now[0]:
            good = _searches_answered(self.runner.environment)
            if self._now is not None:
                last, began, before = self._now
                rate = (good - before) / (elapsed - began)
                self.steps.append(Step(all_stages[last].users, rate))
            if number is not None:
                self._now = (number, elapsed, good)
        if number is None:
            return None
        users = all_stages[number].users
        # All of them within a second.
        there = self.get_current_user_count()  # type: ignore[no-untyped-call]
        return users, float(max(1, users, there))


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: Any) -> None:
    """Take ``--shape``, and more users than Locust's one where none are asked for."""
    parser.add_argument("--shape", choices=SHAPES, default="steady", help="how the load comes")
    parser.set_defaults(num_users=USERS)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def judge_run(environment: Environment, **_: Any) -> None:
    """Say what was missed, below Locust's own tables; exit with 1 then."""
    if isinstance(environment.runner, WorkerRunner):
        # Whoever gathers the figures judges them.
        return
    assert environment.parsed_options is not None
    shape = environment.parsed_options.shape
    lines = []
    if shape == "step" and isinstance(environment.shape_class, Shape):
        lines += told(environment.shape_class.steps)
    missed = misses(read_objectives(shape), _figures(environment))
    lines += [f"objective missed: {line}" for line in missed]
    lines += [] if missed else [f"all objectives of {shape!r} are kept"]
    environment.process_exit_code = 1 if missed else 0
    quit_ = environment.events.quit
    quit_.add_listener(lambda **_: print("\n".join(lines)))  # type: ignore[no-untyped-call]


def _figures(environment: Environment) -> list[Figures]:
    return [
        Figures(
            entry.name,
            entry.num_requests,
            entry.num_failures,
            entry.get_response_time_percentile(0.5) or 0,
            entry.get_response_time_percentile(0.99) or 0,
        )
        for entry in environment.stats.entries.values()
    ]


def _searches_answered(environment: Environment) -> int:
    return sum(
        entry.num_requests - entry.num_failures
        for entry in environment.stats.entries.values()
        if entry.name.startswith(SEARCH)
    )
