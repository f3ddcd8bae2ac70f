"""Whether anything grows: memory, descriptors, threads."""

from __future__ import annotations

import io
import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from PIL import Image

from benchmarks.clients import measure
from tests.faults.conftest import SOAK, Exchange, Figure, change_over, often
from tests.service.conftest import Service, running, wait_for

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Taken:
    """What a process holds: bytes of memory, descriptors, threads."""

    memory: int
    descriptors: int
    threads: int


def taken(service: Service) -> Taken:
    process = psutil.Process(service.process.pid)
    # Connections that have been hung up on are closed a moment later.
    wait_for(lambda: len(process.net_connections()) == 1, "end of the connections")
    return Taken(process.memory_info().rss, process.num_fds(), process.num_threads())


def searches(service: Service, count: int, _: Exchange) -> None:
    bodies = ({"query": f"a small red fox, number {n}", "k": 5} for n in itertools.count())
    assert measure(service.port, "/search", itertools.islice(bodies, count), 16).failed == 0


def uploads(service: Service, count: int, _: Exchange) -> None:
    for number in range(count):
        stream = io.BytesIO()
        Image.new("RGB", (640, 480), (number % 256, number // 256 % 256, 0)).save(stream, "JPEG")
        files = {"image": ("x.jpg", stream.getvalue(), "image/jpeg")}
        assert service.post("/search_by_image", files=files).status_code == 200


def changes(service: Service, count: int, exchange: Exchange) -> None:
    place = service.log.with_name("served")
    for _ in range(count):
        change_over(service, place, place.with_name("other"), exchange)


@pytest.mark.parametrize(
    ("work", "count"),
    [
        (searches, often(4000, 100_000)),
        (uploads, often(200, 10_000)),
        (changes, often(20, 1000)),
    ],
)
def test_nothing_grows(
    work: Callable[[Service, int, Exchange], None],
    count: int,
    bundles: tuple[Path, Path],
    exchange: Exchange,
    tmp_path: Path,
    figure: Figure,
) -> None:
    for bundle, name in zip(bundles, ("served", "other"), strict=True):
        shutil.copytree(bundle, tmp_path / name)
    with running(tmp_path / "served", tmp_path / "log") as service:
        work(service, count // 10, exchange)
        before = taken(service)
        work(service, count - count // 10, exchange)
        # The bundle that came last is still being checked in the background.
        wait_for(lambda: taken(service).threads <= before.threads, "end of the threads that came")
        after = taken(service)
    growth = after.memory / before.memory - 1
    assert after.descriptors <= before.descriptors
    # Of a short run, what is still being warmed up is a larger share.
    assert growth < (0.03 if SOAK else 0.3)
    figure(
        f"{count} {work.__name__}: memory {growth:+.1%} after the first tenth "
        f"({before.memory >> 20} MB), descriptors {before.descriptors} and {after.descriptors}, "
        f"threads {before.threads} and {after.threads}"
    )
