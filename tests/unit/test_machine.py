"""What control groups leave of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models import machine
from tests.conftest import ROOT

MEMINFO = "MemFree: 1 kB\nMemTotal:        2614312 kB\n"
ALL = 2614312 << 10
NOWHERE = Path("/nowhere")
UNIT = "0::/system.slice/sightline.service\n"
UNITS = "4:memory:/a/b\n2:cpu,cpuacct:/a/b\n1:name=systemd:/other\n"


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("", {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ("", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ("0::/\n", {}, 64),
        ("", {}, 64),
        (UNIT, {"system.slice/sightline.service/cpu.max": "200000 100000\n"}, 2),
        (UNIT, {"system.slice/cpu.max": "400000 100000\n"}, 4),
        (UNITS, {"cpu/a/cpu.cfs_quota_us": "500000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 5),
        # Another hierarchy's.
        (UNITS, {"cpu/other/cpu.cfs_quota_us": "1\n", "cpu/other/cpu.cfs_period_us": "1\n"}, 64),
    ],
)
def test_no_more_threads_than_a_container_may_use(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: str,
    files: dict[str, str],
    cores: int,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64), raising=False)
    groups = written(tmp_path / "groups", files)
    (tmp_path / "own").write_text(own)
    assert machine.cores(groups, tmp_path / "own") == cores


@pytest.mark.parametrize(
    ("own", "files", "memory"),
    [
        ("0::/\n", {"memory.max": "536870912\n"}, 512 << 20),
        ("0::/\n", {"memory.max": "max\n"}, ALL),
        ("0::/\n", {"memory.max": "0\n"}, ALL),
        ("0::/\n", {"memory.max": "68719476736\n"}, ALL),
        ("", {"memory/memory.limit_in_bytes": "536870912\n"}, 512 << 20),
        ("", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, ALL),
        (UNIT, {"system.slice/sightline.service/memory.max": "1000\n", "memory.max": "max"}, 1000),
        (UNIT, {"system.slice/memory.max": "1000\n"}, 1000),
        (UNITS, {"memory/a/b/memory.limit_in_bytes": "1000\n"}, 1000),
        (UNITS, {"memory/other/memory.limit_in_bytes": "1000\n"}, ALL),
        # The group's name is another's, since this process sees the tree from elsewhere.
        ("0::/../elsewhere\n", {}, ALL),
    ],
)
def test_no_more_memory_than_a_container_may_use(
    tmp_path: Path, own: str, files: dict[str, str], memory: int
) -> None:
    groups = written(tmp_path / "groups", files)
    (tmp_path / "own").write_text(own)
    (tmp_path / "meminfo").write_text(MEMINFO)
    assert machine.memory(groups, tmp_path / "own", tmp_path / "meminfo") == memory


def test_a_system_that_says_nothing_is_taken_for_a_usual_one() -> None:
    assert machine.memory(NOWHERE, NOWHERE, NOWHERE) == 2 << 30
    assert machine.cores(NOWHERE, NOWHERE) >= 1


def test_where_the_system_tells_of_no_processors_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert machine.cores(NOWHERE, NOWHERE) == 3
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert machine.cores(NOWHERE, NOWHERE) == 1


def test_memory_that_was_let_go_of_is_given_back() -> None:
    """In a process of its own, whose memory nobody else uses."""
    program = """
import sys
from models import machine

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1])

parts = [bytes(60_000) for _ in range(5000)]
last = bytes(60_000)
before = resident()
del parts
machine.give_back_memory()
sys.exit(resident() > before / 2)
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("platform: the system does not say what is resident")
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="platform: a thread has no priority of its own")
def test_a_thread_gives_way_with_those_it_starts_and_no_other() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work() -> list[int]:
        found = [priority()]
        for _ in range(6):
            machine.give_way()
            found.append(priority())
        with ThreadPoolExecutor(1) as pool:
            return [*found, pool.submit(priority).result()]

    own = priority()
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(work).result()
    assert found[:2] == [own, own + 5]
    assert found[-2:] == [19, 19]
    assert priority() == own
