"""What nobody would write: a crash, more than two seconds, or more than 300 MB is a fault.

Hypothesis makes the inputs and shrinks what fails.  In CI all of it takes about a minute; ``make
soak`` (``SIGHTLINE_SOAK=1``) tries so many more that it takes ten.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.faults.conftest import often
from tests.serving.conftest import app, make, opened, searched, tiny_bundle

__all__ = ["app", "bounded", "make", "opened", "searched", "tiny_bundle", "tries"]

_SECONDS = 2.0
# Others may work on the machine, too.
_PATIENCE = 30.0
_BYTES = 300 << 20
_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def tries(count: int) -> settings:
    """So many inputs, or twenty times as many."""
    return settings(
        max_examples=often(count, 20 * count),
        # Harmless: an application is no worse for having been asked before.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        # The same in every run of CI, so that a change is never blamed for another's fault.
        derandomize=often(1, 0) == 1,
    )


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Fail where the block takes more than two seconds, or 300 MB for a while."""
    before = _memory("VmRSS")
    if before:
        # Forgets the peak so far: proc(5).
        _RESET.write_text("5")
    began, worked = time.perf_counter(), time.process_time()
    yield
    worked, waited = time.process_time() - worked, time.perf_counter() - began
    grown = _memory("VmHWM") - before
    assert worked < _SECONDS, f"it took {worked:.1f} s"
    assert waited < _PATIENCE, f"nothing happened for {waited:.0f} s"
    assert grown < _BYTES, f"it took {grown >> 20} MB"


def _memory(name: str) -> int:
    """Bytes, as Linux tells them; elsewhere 0."""
    if not _STATUS.exists():
        return 0
    [line] = [each for each in _STATUS.read_text().splitlines() if each.startswith(f"{name}:")]
    return int(line.split()[1]) << 10
