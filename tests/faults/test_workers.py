"""Workers that are killed and services that are told to end, while everybody asks."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from serving.leaving import FAREWELL_SECONDS
from tests.faults.conftest import Figure, often
from tests.load import Load
from tests.service.conftest import running, wait_for

pytestmark = pytest.mark.slow

CLIENTS = 32


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_with_a_killed_worker_only_its_own_requests_are_lost(
    demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    times = often(2, 20)
    lost, back = [], []
    with (
        running(demo_bundle, tmp_path / "log", SIGHTLINE_WORKERS="2") as service,
        Load(service.url, clients=CLIENTS) as load,
    ):
        for _ in range(times):
            seen = len(load.outcomes)
            wait_for(lambda seen=seen: len(load.outcomes) > seen + 200, "load")
            # A look at a process that is just beginning may fail.
            while len(workers := service.listening()) != 2:
                time.sleep(0.05)
            killed, other = workers
            began = len(load.outcomes)
            os.kill(killed, signal.SIGKILL)
            while not has_ended(killed):
                time.sleep(0.001)
            # Until then the kernel takes connections and requests for it.
            died = time.monotonic()
            back.append(
                wait_for(
                    lambda gone=killed: (
                        len(service.listening()) == 2 and gone not in service.listening()
                    ),
                    "another worker in its place",
                )
            )
            assert other in service.listening()
            failed = [one for one in load.outcomes[began:] if one.status != 200]
            # They were under way when it died; one that nobody had taken is its own, too.
            assert all(one.sent is None or one.sent < died + 0.1 for one in failed), failed
            # Who is lost asks again, and once more of one that has not quite ended.
            assert len(failed) <= 2 * CLIENTS
            lost.append(len(failed))
            # One that dies young, again and again, would be given more time.
            time.sleep(5.5 if times > 2 else 0)
    figure(
        f"{times} workers killed under {CLIENTS} clients: {min(lost)} to {max(lost)} requests lost "
        f"with each, another in its place after {max(back):.1f} s at the most"
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_told_to_end_under_load_it_loses_nothing(
    workers: int, demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    times = often(2, 20)
    answered, ends = 0, []
    for number in range(times):
        log = tmp_path / f"log {number}"
        with (
            running(demo_bundle, log, SIGHTLINE_WORKERS=str(workers)) as service,
            Load(service.url, clients=CLIENTS) as load,
        ):
            wait_for(lambda load=load: len(load.outcomes) > 200, "load")
            service.process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            assert service.process.wait(timeout=15) == 0
            ends.append(time.monotonic() - told)
        # As docs/deploy.md promises.
        promised = told + FAREWELL_SECONDS
        taken = [one for one in load.outcomes if one.sent is not None and one.sent < promised]
        assert [one for one in taken if one.status != 200] == []
        assert max(one.sent for one in taken if one.sent is not None) > told
        answered += len(taken)
    figure(
        f"{times} times SIGTERM under {CLIENTS} clients that go on asking: 0 of {answered} requests"
        f" lost, ended after {max(ends):.1f} s at the most"
    )
