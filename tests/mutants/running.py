"""Runs, for each mutant, the tests that reach it, until one fails.

A plugin of pytest: instead of running the tests once, it runs them once whole, to see which
lines each of them reaches, and then forks for each mutant.  The child has everything collected
and imported, breaks its own copy of the code, and runs what reaches it.
"""

from __future__ import annotations

import ast
import bisect
import contextlib
import gc
import importlib
import itertools
import os
import signal
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType

import coverage
import pytest

from tests.mutants.breaks import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
KILLED, SURVIVED, TIMED_OUT, NOT_REACHED = "killed", "survived", "timed out", "not reached"
# What a session's fixtures run counts for no test: they are made once, before anything is broken.
_NO_TEST = "nobody"
# A mutant that the tests which reach it have not killed for so long, the quickest first, survives.
_MOST_SECONDS = 6.0
_QUICK_SECONDS = 1.0
# What one test may take, beside many times what it took before.
_SECONDS_TO_START = 5.0
_TIMES_AS_LONG = 5.0


@dataclass(frozen=True)
class Result:
    """What became of a mutant, and by which test."""

    outcome: str
    test: str | None = None


@dataclass(eq=False)
class Mutation:
    """The plugin.

    Args:
        paths: the modules to be broken, from the root.
        every: of all mutants every so manieth is run.
        known: results of an earlier run, by the mutant's name.
        tell: is told each new result.
    """

    paths: Sequence[Path]
    every: int
    known: dict[str, Result]
    tell: Callable[[Mutant, Result], None]
    results: dict[str, Result] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Imported by what is collected otherwise, and only some of it.
        self._coverage = coverage.Coverage(
            data_file=None, config_file=False, include=[str(ROOT / path) for path in self.paths]
        )
        self._measures = False
        self._current = _NO_TEST
        self._failed: list[str] = []
        self._seconds: dict[str, float] = defaultdict(float)
        # By path and scope: what has killed others there is asked first.
        self._killers: dict[tuple[Path, str], list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how long it took and whether it failed."""
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._failed.append(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object]
    ) -> Generator[None, object, object]:
        """What is made once belongs to no test."""
        if fixturedef.scope != "session":
            return (yield)
        self._switch(_NO_TEST)
        try:
            return (yield)
        finally:
            self._switch(self._current)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """That an example fails is enough: nobody will read the smallest one, nor try it again."""
        # Not above: pytest wants to import its plugins itself.
        import hypothesis

        hypothesis.settings.register_profile(
            "mutants",
            hypothesis.settings.get_profile("unhurried"),
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
            database=None,
        )
        hypothesis.settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run everything once as it is, then what reaches each mutant."""
        if session.testsfailed or not session.items:
            raise pytest.UsageError("the tests cannot be collected")
        reached = self._run_whole(session.items)
        items = {item.nodeid: item for item in session.items}
        functions = _functions(self.paths)
        # What is there now need not be looked at again, nor copied for it.
        gc.collect()
        gc.freeze()
        # A test that fails in a copy of this process whatever is broken would kill every mutant.
        control = _in_a_child(lambda: self._first_to_fail(None, session.items, functions))
        if control.outcome != SURVIVED:
            raise pytest.UsageError(f"{control} in a copy of the process with nothing broken")
        for mutant in self._chosen():
            known = self.known.get(mutant.name)
            result = known or self._try(mutant, reached, items, functions)
            self.results[mutant.name] = result
            if known is None:
                self.tell(mutant, result)
        return True

    def _chosen(self) -> list[Mutant]:
        found = []
        for path in self.paths:
            source = (ROOT / path).read_text("utf-8")
            readers = _readers(ast.parse(source))
            found += [
                mutant
                for mutant in mutants(path, source)
                if not mutant.is_constant or mutant.scope in readers
            ]
        return found[self.every // 2 :: self.every]

    def _run_whole(self, items: Sequence[pytest.Item]) -> dict[Path, dict[int, list[str]]]:
        """Which tests reach each line of each module."""
        self._coverage.start()
        self._measures = True
        # After the last as if the first came again, so that what a session has stays.
        for item, after in zip(items, [*items[1:], items[0]], strict=True):
            self._current = item.nodeid
            self._switch(item.nodeid)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        self._measures = False
        self._coverage.stop()
        if self._failed:
            raise pytest.UsageError("these fail with nothing broken: " + ", ".join(self._failed))
        self._current = _NO_TEST
        data = self._coverage.get_data()
        return {
            path: {
                line: [test for test in tests if test not in ("", _NO_TEST)]
                for line, tests in data.contexts_by_lineno(str(ROOT / path)).items()
            }
            for path in self.paths
        }

    def _switch(self, test: str) -> None:
        if self._measures:
            self._coverage.switch_context(test)

    def _try(
        self,
        mutant: Mutant,
        reached: dict[Path, dict[int, list[str]]],
        items: dict[str, pytest.Item],
        functions: dict[tuple[str, str], list[FunctionType]],
    ) -> Result:
        lines = reached[mutant.path]
        spans = _readers(mutant.tree)[mutant.scope] if mutant.is_constant else [mutant.lines]
        tests = {test for span in spans for line in span for test in lines.get(line, ())}
        if not tests:
            return Result(NOT_REACHED)
        # What has killed others lately is likely to, here more than elsewhere in the module.
        near = self._killers[mutant.path, mutant.scope]
        far = self._killers[mutant.path, ""]
        promising = [*near[:-4:-1], *far[:-4:-1]]
        # A slow one would leave no time for others.
        order = [
            test
            for test in dict.fromkeys(promising)
            if test in tests and self._seconds[test] < _QUICK_SECONDS
        ]
        # Then the tests of this very module, then the others, the quickest of each first.
        mirror = f"/test_{mutant.path.stem}.py::"
        order += sorted(
            tests - {*order}, key=lambda test: (mirror not in test, self._seconds[test])
        )
        whole = list(itertools.accumulate(self._seconds[test] for test in order))
        chosen = order[: bisect.bisect(whole, _MOST_SECONDS) + 1]
        result = _in_a_child(
            lambda: self._first_to_fail(mutant, [items[test] for test in chosen], functions)
        )
        if result.test in tests:
            for killers in (near, far):
                if result.test in killers:
                    killers.remove(result.test)
                killers.append(result.test)
        return result

    def _first_to_fail(
        self,
        mutant: Mutant | None,
        chosen: Sequence[pytest.Item],
        functions: dict[tuple[str, str], list[FunctionType]],
    ) -> str | None:
        if mutant is not None:
            _break(mutant, functions)
        self._failed.clear()
        # After the last as if one of another file came, so that what a session has stays.
        elsewhere = chosen[0].session.items[0]
        for item, after in zip(chosen, [*chosen[1:], elsewhere], strict=True):
            limit = _SECONDS_TO_START + _TIMES_AS_LONG * self._seconds[item.nodeid]
            signal.setitimer(signal.ITIMER_REAL, limit)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self._failed:
                return item.nodeid
        return None


def _in_a_child(work: Callable[[], str | None]) -> Result:
    """What some work comes to in a copy of this process, of which nothing is left."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Harmless: told from Python 3.12 on; the threads that the tests have left behind wait for
        # work that the child never gives them.
        warnings.filterwarnings(
            "ignore",
            message=r".*use of fork\(\) may lead to deadlocks",
            category=DeprecationWarning,
        )
        child = os.fork()
    if not child:
        try:
            os.setsid()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            failed = work()
            told = SURVIVED if failed is None else f"{KILLED}\n{failed}"
        except BaseException as error:
            # This has come to grief, or pytest has, which says nothing of the tests.
            told = f"{SURVIVED}\n{type(error).__name__}: {error}"
        os.write(writing, told.encode()[:4000])
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    # And whatever its tests have started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with os.fdopen(reading, "rb", closefd=True) as stream:
        os.set_blocking(reading, False)
        outcome, _, test = (stream.read() or b"").decode(errors="replace").partition("\n")
    if os.WIFSIGNALED(status):
        # An alarm that nobody heard, or a crash.
        return Result(TIMED_OUT if os.WTERMSIG(status) == signal.SIGALRM else KILLED)
    return Result(outcome, test or None)


def _break(mutant: Mutant, functions: dict[tuple[str, str], list[FunctionType]]) -> None:
    """Let the running code be the mutant's."""
    module = sys.modules[_module(mutant.path)]
    assert module.__file__ is not None
    tree = mutant.apply()
    if mutant.is_constant:
        old = getattr(module, mutant.scope)
        statement = mutant.site.statement
        assert isinstance(statement, ast.Assign | ast.AnnAssign)
        assert statement.value is not None
        expression = ast.Expression(statement.value)
        new = eval(compile(expression, module.__file__, "eval", dont_inherit=True), vars(module))
        # Wherever it was imported to.
        for name, other in list(sys.modules.items()):
            if name.startswith(_PARTS) and vars(other).get(mutant.scope) is old:
                setattr(other, mutant.scope, new)
        return
    code = compile(tree, module.__file__, "exec", dont_inherit=True)
    broken = next(each for each in _codes(code) if each.co_qualname == mutant.scope)
    for function in functions[module.__file__, mutant.scope]:
        function.__code__ = broken


_PARTS = ("serving.", "models.")


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _functions(paths: Sequence[Path]) -> dict[tuple[str, str], list[FunctionType]]:
    """The functions that live in this process, by file and qualified name."""
    for path in paths:
        importlib.import_module(_module(path))
    files = {str(ROOT / path) for path in paths}
    found = defaultdict(list)
    for each in gc.get_objects():
        # Not isinstance(), which some libraries' objects take as a request.
        if type(each) is FunctionType and each.__code__.co_filename in files:
            found[each.__code__.co_filename, each.__code__.co_qualname].append(each)
    return found


def _readers(tree: ast.Module) -> dict[str, list[range]]:
    """The lines that read each name inside of functions."""
    found = defaultdict(list)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                        found[node.id].append(range(node.lineno, node.lineno + 1))
    return found
