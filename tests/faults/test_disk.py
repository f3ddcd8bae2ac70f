"""Disks that are full, small, or may not be written."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.build.images import plant
from tests.faults.conftest import Figure, in_own_mounts, needs_mounts
from tests.service.conftest import ROOT, running

pytestmark = [pytest.mark.slow, needs_mounts]


def noise() -> bytes:
    """An image of 4 MB, since noise cannot be packed."""
    pixels = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_uploads_that_find_no_room_are_refused_and_leave_nothing(
    demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    image = noise()
    mounts = in_own_mounts(f"mount -t tmpfs -o size=8m none {small}")
    log = tmp_path / "log"
    with running(demo_bundle, log, before=mounts, TMPDIR=str(small)) as service:

        def upload(_: int) -> int:
            files = {"image": ("x.png", image, "image/png")}
            return service.post("/search_by_image", files=files).status_code

        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(upload, range(40)))
        assert set(codes) == {200, 507}
        # What was in the way is gone.
        assert [upload(0) for _ in range(5)] == [200] * 5
        assert service.post("/search", json={"query": "a fox"}).status_code == 200
    figure(f"/tmp of 8 MB, 40 uploads of 4 MB by 8 clients: {codes.count(507)} refused with 507")


def test_a_build_on_a_full_disk_says_so_and_leaves_the_bundle_that_is_there(
    tiny_package: Path, tmp_path: Path
) -> None:
    for count in (3, 400):
        plant(tmp_path / f"{count}", count)
    disk = tmp_path / "disk"
    disk.mkdir()

    def index(count: int) -> str:
        return (
            f"{sys.executable} -m build index --images {tmp_path / str(count)} "
            f"--model {tiny_package} --output {disk}/photos"
        )

    look = f"""{sys.executable} -c "
from pathlib import Path
from models.bundle import Bundle
print(len(Bundle.open(Path('{disk}/photos')).items), 'images are there')
" """
    steps = [
        f"mount -t tmpfs -o size=600k none {disk}",
        index(3),
        f"if {index(400)}; then exit 9; fi",
        look,
        f"mount -o remount,ro {disk}",
        f"if {index(3)}; then exit 9; fi",
        look,
    ]
    run = subprocess.run([*in_own_mounts(*steps), "true"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("3 images are there") == 2
    full, read_only = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert "No space left on device" in full or "disk is full" in full
    assert "cannot be written" in read_only
    assert "Traceback" not in run.stderr
