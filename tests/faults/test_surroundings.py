"""Machines that lack descriptors, /dev/shm, a disk to write to, memory, or a steady clock."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.manifest import IMAGE_ENCODER, Manifest
from tests.conftest import ROOT
from tests.faults.conftest import SOAK, Figure, in_own_mounts, needs_mounts, often
from tests.load import Load
from tests.service.conftest import Service, running, wait_for

pytestmark = pytest.mark.slow

CLIENTS = 16
GROUPS = Path("/sys/fs/cgroup")


def assert_well(service: Service) -> None:
    assert service.get("/readyz").status_code == 200
    assert len(service.post("/search", json={"query": "a fox"}).json()["results"]) == 5


def test_with_64_descriptors_it_outlives_a_crowd(
    demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    few = ["sh", "-ec", 'ulimit -n 64; exec "$@"', "sh"]
    with running(demo_bundle, tmp_path / "log", before=few) as service:
        for _ in range(often(1, 5)):
            with contextlib.ExitStack() as stack:
                for _ in range(200):
                    one = stack.enter_context(socket.socket())
                    one.connect(("127.0.0.1", service.port))
            wait_for(lambda: service.get("/readyz").status_code == 200, "answer again")
        assert_well(service)
    figure(
        "200 connections at once, of which it can take a third: answers as soon as they are gone"
    )


@needs_mounts
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_written_but_to_tmp(workers: int, demo_bundle: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    mounts = in_own_mounts(
        f"mount -t tmpfs -o size=8m none {temporary}",
        # Without any in its place.
        "umount /dev/shm || rm -rf /dev/shm",
        "mount -o remount,bind,ro /",
        "! touch /x 2>&-",
    )
    variables = {"TMPDIR": str(temporary), "SIGHTLINE_WORKERS": str(workers)}
    with running(demo_bundle, tmp_path / "log", before=mounts, **variables) as service:
        assert_well(service)


@contextlib.contextmanager
def control_group(memory: int) -> Iterator[Path]:
    """One of so many bytes of memory and no swap."""
    root = GROUPS / "memory" if (GROUPS / "memory").is_dir() else GROUPS
    group = root / f"sightline-{os.getpid()}"
    try:
        group.mkdir()
        new = (group / "memory.max").exists()
        (group / ("memory.max" if new else "memory.limit_in_bytes")).write_text(str(memory))
        swap = group / ("memory.swap.max" if new else "memory.memsw.limit_in_bytes")
        if swap.exists():
            swap.write_text("0" if new else str(memory))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"platform: no control group can be made here: {error}")
    try:
        yield group
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text(), "end of all in it")
        group.rmdir()


@pytest.mark.parametrize(("images", "megabytes"), [(True, 384), (False, 256)])
def test_the_demo_lives_in_little_memory(
    images: bool, megabytes: int, demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    """With its image encoder, and deployed without."""
    bundle = tmp_path / "bundle"
    shutil.copytree(demo_bundle, bundle)
    if not images:
        manifest = Manifest.read(bundle)
        files = {name: file for name, file in manifest.files.items() if name != IMAGE_ENCODER}
        manifest.model_copy(update={"files": files}).write(bundle)
    with control_group(megabytes << 20) as group:
        inside = ["sh", "-ec", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
        with running(bundle, tmp_path / "log", before=inside) as service:
            with Load(service.url, clients=CLIENTS, searches=often(500, 20_000)) as load:
                load.wait()
            assert_well(service)
    assert {one.status for one in load.outcomes} == {200}
    figure(f"0 of {len(load.outcomes)} searches failed in a control group of {megabytes} MB")


def large_images(folder: Path) -> list[Path]:
    """Some of which decoding would take more memory than the tests leave; all are small files."""
    folder.mkdir()
    paths = []
    for side in often_sides():
        wide = Image.new("RGB", (side, side), "red")
        deep = Image.fromarray(np.full((side, side), 30000, dtype=np.uint16))
        for name, image, options in (
            ("a.png", wide, {"compress_level": 1}),
            ("16 bit.png", deep, {"compress_level": 1}),
            ("a.tif", wide, {"compression": "tiff_deflate"}),
            ("a.jpg", wide, {"quality": 50}),
            *([("a.webp", wide, {"method": 0}), ("a.avif", wide, {"speed": 10})] if SOAK else []),
        ):
            path = folder / f"{side} {name}"
            # A WebP has at most 16,383 pixels a side, and its encoder less than that.
            if side < 15_000 or name != "a.webp":
                image.save(path, **options)
                paths.append(path)
    return paths


def often_sides() -> list[int]:
    """48 megapixels, and in a soak 100 and 225."""
    return [6930, 10_000, 15_000] if SOAK else [6930]


def test_images_larger_than_memory_are_refused(
    demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    with control_group(512 << 20) as group:
        inside = ["sh", "-ec", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
        with running(demo_bundle, tmp_path / "log", before=inside) as service:
            statuses = []
            for path in large_images(tmp_path / "large"):
                files = {"image": path.read_bytes()}
                statuses.append(service.post("/search_by_image", files=files).status_code)
            assert_well(service)
    assert set(statuses) == {200, 413}, "a JPEG of that size can be decoded at a fraction of it"
    figure(f"{statuses.count(413)} of {len(statuses)} uploads refused in 512 MB, none fatal")


def test_images_larger_than_memory_are_left_out_of_a_build(tmp_path: Path, figure: Figure) -> None:
    paths = large_images(tmp_path / "large")
    Image.new("RGB", (60, 40), "red").save(tmp_path / "large" / "small.png")
    command = [sys.executable, "-m", "build", "index", "--images", str(tmp_path / "large")]
    command += ["--output", str(tmp_path / "bundle")]
    megabytes = 1024 if SOAK else 640
    with control_group(megabytes << 20) as group:
        inside = ["sh", "-ec", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
        ran = subprocess.run([*inside, *command], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    manifest = Manifest.read(tmp_path / "bundle")
    assert {each.reason for each in manifest.skipped} == {"too large"}
    assert "this machine has memory for" in manifest.skipped[0].detail
    assert manifest.images + len(manifest.skipped) == len(paths) + 1
    figure(f"{len(manifest.skipped)} of {len(paths)} skipped by name in {megabytes} MB")


JUMPS = """
import itertools, time
now, jumps = time.time, itertools.cycle([0, 86400, -86400, 3600, -1])
time.time = lambda: now() + next(jumps)
"""


def test_a_clock_that_jumps_changes_nothing(
    demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    """By a day and back, at every look."""
    (tmp_path / "sitecustomize.py").write_text(JUMPS)
    variables = {"PYTHONPATH": str(tmp_path), "SIGHTLINE_WORKERS": "2"}
    with running(demo_bundle, tmp_path / "log", **variables) as service:
        workers = service.listening()
        with Load(service.url, clients=CLIENTS) as load:
            time.sleep(often(4, 60))
        assert service.listening() == workers
        assert_well(service)
    assert {one.status for one in load.outcomes} == {200}
    figure(f"0 of {len(load.outcomes)} searches failed, no worker was replaced")
