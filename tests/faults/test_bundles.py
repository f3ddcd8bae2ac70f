"""Bundles that are removed, copied over, damaged and swapped while everybody asks."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Exchange, Figure, change_over, often
from tests.load import Load
from tests.service.conftest import running, wait_for

pytestmark = pytest.mark.slow

CLIENTS = 16


def removed(place: Path, other: Path) -> None:
    shutil.rmtree(place)


def replaced(place: Path, other: Path) -> None:
    place.rename(place.with_name("old"))
    shutil.copytree(other, place)


def copied_over(place: Path, other: Path) -> None:
    for path in other.iterdir():
        with (place / path.name).open("r+b") as file:
            file.write(path.read_bytes())
            file.truncate()


def emptied(place: Path, other: Path) -> None:
    for path in place.iterdir():
        with path.open("r+b") as file:
            file.truncate()


@pytest.mark.parametrize("change", [removed, replaced, copied_over, emptied])
def test_what_becomes_of_the_folder_nobody_notices(
    change: Callable[[Path, Path], None],
    bundles: tuple[Path, Path],
    tmp_path: Path,
    figure: Figure,
) -> None:
    place = tmp_path / "served"
    shutil.copytree(bundles[0], place)
    with running(place, tmp_path / "log") as service:
        before = service.post("/search", json={"query": "a fox"})
        with Load(service.url, clients=CLIENTS) as load:
            wait_for(lambda: len(load.outcomes) > 200, "load")
            change(place, bundles[1])
            seen = len(load.outcomes)
            wait_for(lambda: len(load.outcomes) > seen + 1000, "load")
        after = service.post("/search", json={"query": "a fox"})
        assert service.get("/readyz").status_code == 200
    assert {one.status for one in load.outcomes} == {200}
    assert after.json() == before.json()
    assert after.headers["X-Sightline-Bundle"] == before.headers["X-Sightline-Bundle"]
    figure(f"0 of {len(load.outcomes)} searches failed or changed")


def test_bundles_change_over_under_load(
    bundles: tuple[Path, Path], exchange: Exchange, tmp_path: Path, figure: Figure
) -> None:
    times = often(5, 100)
    place, other = tmp_path / "served", tmp_path / "other"
    shutil.copytree(bundles[0], place)
    shutil.copytree(bundles[1], other)
    with (
        running(place, tmp_path / "log") as service,
        Load(service.url, clients=CLIENTS) as load,
    ):
        for _ in range(times):
            change_over(service, place, other, exchange)
    assert {one.status for one in load.outcomes} == {200}
    figure(f"{times} times another bundle: 0 of {len(load.outcomes)} searches failed")


def test_a_damaged_bundle_never_takes_the_place_of_a_good_one(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    place, other = tmp_path / "served", tmp_path / "other"
    shutil.copytree(bundles[0], place)
    shutil.copytree(bundles[1], other)
    graph = bytearray((other / "text_encoder.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (other / "text_encoder.onnx").write_bytes(graph)
    with (
        running(place, tmp_path / "log") as service,
        Load(service.url, clients=CLIENTS) as load,
    ):
        replaced(place, other)
        before = service.get("/info").json()["version"]
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "not reloaded" in service.log.read_text(), "word of it")
        assert "text_encoder.onnx is damaged" in service.log.read_text()
        assert service.get("/info").json()["version"] == before
        assert service.get("/readyz").status_code == 200
    assert {one.status for one in load.outcomes} == {200}
