"""``kill -9`` at every system call of a publication: a whole bundle is there after each."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from build.atomic_output import Output
from tests.faults.conftest import SOAK, Exchange, Figure
from tests.tools import require_tool

pytestmark = pytest.mark.slow

NAMES = ("manifest.json", "items.sqlite")
# Those that change a disk, and those that look at it; in a soak all others, too.
OF_FILES = re.compile(r"open|close|sync|rename|unlink|rmdir|mkdir|stat|getdents|write")


def publish(folder: Path, other: Connection) -> None:
    """What a build does at its end, once it has said that it is there and is told to."""
    # What measures coverage makes thousands of system calls of its own, at the end, too.
    sys.settrace(None)
    other.send_bytes(b"ready")
    other.recv_bytes()
    output = Output(folder)
    output.recover()
    with output.new_folder() as new:
        for name in NAMES:
            (new / name).write_text("new")
        output.publish()
    os._exit(0)


class Publisher:
    """Publishes in a process of its own, under strace."""

    def __init__(self, strace: Path, folder: Path) -> None:
        # Forks are quick, and safe from a process that has no threads.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.test_publish"])
        self._strace = strace
        self.folder = folder

    def run(self, *options: str) -> int:
        """Replace the bundle, traced with these options; gives the exit code.

        What strace has to say goes to a file, since it waits where nobody reads it.
        """
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name in NAMES:
            (self.folder / name).write_text("old")
        own, others = self._context.Pipe()
        process = self._context.Process(target=publish, args=(self.folder, others))
        process.start()
        own.recv_bytes()
        tracer = subprocess.Popen(
            [self._strace, *options, "-p", str(process.pid)], stderr=subprocess.PIPE, text=True
        )
        assert tracer.stderr is not None
        attached = tracer.stderr.readline()
        if "attached" not in attached:
            process.kill()
            pytest.skip(f"platform: no process may be traced here ({attached.strip()})")
        own.send_bytes(b"go")
        process.join(30)
        tracer.communicate(timeout=30)
        assert process.exitcode is not None
        return process.exitcode


@pytest.fixture
def publisher(tmp_path: Path, exchange: Exchange) -> Publisher:
    strace = require_tool("strace", reason="kills at system calls")
    return Publisher(strace, tmp_path / "place" / "photos")


def content(folder: Path) -> set[str]:
    """What is in the files of a bundle; each has to be there."""
    return {(folder / name).read_text() for name in NAMES}


def test_a_build_that_is_killed_leaves_a_bundle(
    publisher: Publisher, tmp_path: Path, figure: Figure
) -> None:
    trace = tmp_path / "trace"
    assert publisher.run("-o", str(trace)) == 0
    assert content(publisher.folder) == {"new"}
    calls = Counter(re.findall(r"^(\w+)\(", trace.read_text(), re.MULTILINE))
    assert calls["renameat2"] == 1
    assert calls["fsync"] == len(NAMES) + 2
    assert calls.total() < 300
    left: Counter[str] = Counter()
    for call, times in sorted(calls.items()):
        if not SOAK and not OF_FILES.search(call):
            continue
        for number in range(1, times + 1):
            inject = f"inject={call}:signal=KILL:when={number}"
            # Harmless: what strace saw; what became of the process its exit code says.
            code = publisher.run("-o", os.devnull, "-e", inject)
            # What the last process does on its way out may come in another order.
            assert code in (-signal.SIGKILL, 0)
            [found] = content(publisher.folder)
            left[found if code else "not killed"] += 1
            output = Output(publisher.folder)
            output.recover()
            assert content(publisher.folder) == {found}
            assert [path.name for path in publisher.folder.parent.iterdir()] == ["photos"]
    # Killed before the exchange, and after it.
    assert min(left["old"], left["new"]) > 5
    assert left["not killed"] <= left.total() / 20
    figure(
        f"killed at {left.total()} system calls: the old bundle after {left['old']}, the new one "
        f"after {left['new']}, none after 0"
    )
