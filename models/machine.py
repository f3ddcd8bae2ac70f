"""What this process may use of the machine: processors and memory.

In a container, or as a service of systemd, that is less than there is.  The control groups say
so (``cgroups(7)``): each process is in one of each hierarchy, and the limits of all that this one
lies in hold, too.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_MEMORY = Path("/proc/meminfo")
# Where nothing says how much memory there is.
_USUAL_MEMORY = 2 << 30
# So many steps of niceness are a quarter of the time where another thread wants all of it.
_STEP = 5
_LOWEST = 19


def cores(groups: Path = _CONTROL_GROUPS, own: Path = _OWN_GROUPS) -> int:
    """The processors that this process may use.

    A container's limit is a share of all processors' time, which no affinity shows: more
    threads than that only wait for each other.

    Args:
        groups: where the control groups are mounted.
        own: names those of this process.
    """
    there = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    quotas = [quota for group in _groups("cpu", groups, own) if (quota := _quota(group))]
    return max(1, min([there, *map(math.ceil, quotas)]))


def memory(groups: Path = _CONTROL_GROUPS, own: Path = _OWN_GROUPS, system: Path = _MEMORY) -> int:
    """The bytes of memory that this process may use.

    Args:
        groups: where the control groups are mounted.
        own: names those of this process.
        system: says what the machine has.
    """
    limits = []
    for group in _groups("memory", groups, own):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _read(group / name).strip()
            # "max" is no limit, nor is 0.
            if limit.isdigit() and int(limit):
                limits.append(int(limit))
    if total := re.search(r"^MemTotal:\s+(\d+) kB", _read(system), re.MULTILINE):
        limits.append(int(total[1]) * 1024)
    return min(limits, default=_USUAL_MEMORY)


def give_back_memory() -> None:
    """Give what is not used any more back to the system, as far as the C library can.

    To load a bundle takes several times what it needs afterwards, and glibc keeps that:
    ``malloc_trim(3)``.  Elsewhere nothing happens.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def give_way() -> None:
    """Let this thread, and those that it starts, take what other threads leave of the processors.

    Linux has a priority for each thread (``setpriority(2)``); elsewhere nothing happens.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        lower = min(_LOWEST, os.getpriority(os.PRIO_PROCESS, thread) + _STEP)
        os.setpriority(os.PRIO_PROCESS, thread, lower)


def _groups(controller: str, groups: Path, own: Path) -> Iterator[Path]:
    """The folders of the control groups of this process that can be seen, and of their parents.

    Version 2 has one hierarchy, version 1 one for each controller.
    """
    yield groups
    yield groups / controller
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        group = groups / controller if controllers else groups
        for name in Path(path).parts[1:]:
            group /= name
            yield group


def _quota(group: Path) -> float | None:
    """A control group's limit in processors: version 2's file, else version 1's two."""
    quota, _, period = _read(group / "cpu.max").partition(" ")
    if not quota:
        quota, period = (_read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    # "max" in version 2 and -1 in version 1 are no limit.
    return int(quota) / int(period) if quota.strip().isdigit() else None


def _read(path: Path) -> str:
    """The text of a file, none where it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
