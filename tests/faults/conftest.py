"""What happens when things go wrong, shown with a real service; the figures are told at the end.

In CI each fault happens a few times.  ``make soak`` (``SIGHTLINE_SOAK=1``) makes it happen as often
as ``docs/reliability.md`` says.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from build.atomic_output import _exchange
from tests.service.conftest import Service, bundles, wait_for

__all__ = ["bundles"]

SOAK = os.environ.get("SIGHTLINE_SOAK") == "1"
_FIGURES = pytest.StashKey[list[tuple[str, str]]]()

Figure = Callable[[str], None]
Exchange = Callable[[Path, Path], None]

# Containers may forbid it; what is to be shown needs disks that are small or read-only.
needs_mounts = pytest.mark.skipif(
    sys.platform != "linux"
    or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="platform: no file system may be mounted here",
)


def often(short: int, long: int) -> int:
    """How often or how long: in CI, and in a soak."""
    return long if SOAK else short


def in_own_mounts(*commands: str) -> Sequence[str]:
    """Begins a command that sees the file systems as these commands of the shell leave them."""
    return ["unshare", "--mount", "sh", "-ec", "; ".join([*commands, 'exec "$@"']), "sh"]


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    """Lets two folders change names in one step, as a build does.

    Where the file system has no such step (NFS, some of FUSE) a build cannot promise what these
    tests show (:mod:`build.atomic_output`).
    """
    one, other = tmp_path / "one name", tmp_path / "another"
    one.mkdir()
    other.mkdir()
    if not _exchange(one, other):
        pytest.skip("platform: no names can be exchanged on this file system")

    def exchanged(one: Path, other: Path) -> None:
        assert _exchange(one, other)

    return exchanged


def change_over(service: Service, place: Path, other: Path, exchange: Exchange) -> None:
    """Put another bundle in the place of the one in use, and wait until it answers."""
    before = service.get("/info").json()["version"]
    exchange(place, other)
    service.process.send_signal(signal.SIGHUP)
    wait_for(lambda: service.get("/info").json()["version"] != before, "another bundle")


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
