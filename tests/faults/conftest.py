"""What happens when things go wrong, shown with a real service; the figures are told at the end.

In CI each fault happens a few times.  ``make soak`` (``SIGHTLINE_SOAK=1``) makes it happen as often
as ``docs/reliability.md`` says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import pytest

SOAK = os.environ.get("SIGHTLINE_SOAK") == "1"
_FIGURES = pytest.StashKey[list[tuple[str, str]]]()

Figure = Callable[[str], None]


def often(short: int, long: int) -> int:
    """How often or how long: in CI, and in a soak."""
    return long if SOAK else short


def in_own_mounts(*commands: str) -> Sequence[str]:
    """Begins a command that sees the file systems as these commands of the shell leave them."""
    return ["unshare", "--mount", "sh", "-ec", "; ".join([*commands, 'exec "$@"']), "sh"]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Tell what a test has measured."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    return lambda text: figures.append((request.node.name, text))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The figures, a line each."""
    figures = config.stash.get(_FIGURES, [])
    if figures:
        terminalreporter.section("figures of faults")
    for name, text in figures:
        terminalreporter.write_line(f"{name}: {text}")
