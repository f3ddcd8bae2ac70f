"""Shards made by Ray's actors: the same as in one process; killed and resumed, too."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from build.__main__ import main
from build.errors import BuildError
from build.shards.embedding import EmbedOptions, embed_shards
from models.golden import pack, unpack
from models.model_card import ModelCard
from tests.build.images import plant, plant_broken
from tests.build.test_embed import MANIFEST, command, rows, states, told
from tests.tools import require_module

ROOT = Path(__file__).resolve().parents[2]
NEEDED = "shards are made by Ray"
# Ray has its sockets there, whose paths must be short; and would put a token into the home folder.
AROUND = {"RAY_TMPDIR": "/tmp", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "7e57" * 16}
# A cluster that is there already, as where RAY_ADDRESS leads.
CLUSTER = """
import sys, ray
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


# Ray gives its own processes 15 seconds to come up, which a busy machine may not have.
STARTS = 4


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a cluster of two processors, which ends with the block."""
    for _ in range(STARTS):
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            env=os.environ | AROUND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            address = process.stdout.readline().strip()
            if address:
                yield address
                process.stdin.close()
                return
    pytest.fail("Ray does not come up")


def begun(arguments: list[str], done: Path) -> subprocess.Popen[bytes]:
    """A process that makes shards by Ray and has made some: told by files in a folder."""
    for _ in range(STARTS):
        process = subprocess.Popen(arguments, cwd=ROOT, env=os.environ | AROUND)
        deadline = time.monotonic() + 150
        while process.poll() is None:
            if len(list(done.glob("shard-*.json"))) >= 3:
                return process
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert process.returncode == 1
    pytest.fail("Ray does not come up")


def test_the_same_as_in_one_process_killed_and_resumed(tmp_path: Path, tiny_package: Path) -> None:
    require_module("ray", NEEDED)
    images, here, there = (tmp_path / name for name in ("images", "here", "there"))
    plant(images, 300)
    plant_broken(images)
    (images / "a/0000.txt").write_text("A red fox\n")
    given = ["embed", "--images", images, "--model", tiny_package, "--shard-size", "10"]
    on_ray = [*given, "--engine", "ray", "--workers", "2", "--output", there]

    process = begun(command(*on_ray), there / "_done")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (there / MANIFEST).exists()
    finished = [path.stem for path in there.glob("_done/shard-*.json")]
    before = {name: state for name, state in states(there).items() if name[:-8] in finished}

    with cluster() as address:
        around = os.environ | AROUND | {"RAY_ADDRESS": address}
        again = subprocess.run(
            command(*on_ray), cwd=ROOT, env=around, capture_output=True, text=True
        )
        assert again.returncode == 0, again.stderr
        # What goes wrong in an actor is told where the command was typed.
        wrong = with_another_golden_image(tiny_package, tmp_path / "wrong")
        options = [*on_ray, "--model", wrong, "--output", tmp_path / "nothing"]
        failed = subprocess.run(
            command(*options), cwd=ROOT, env=around, capture_output=True, text=True
        )
        assert failed.returncode == 1
        last = failed.stderr.splitlines()[-1]
        assert last.startswith("error: tiny: the golden image gets another embedding")
    assert "has 300 images in 32 shards" in again.stdout
    assert states(there).items() >= before.items()

    assert main([*map(str, given), "--output", str(here)]) == 0
    one, other = rows(here), rows(there)
    assert [row["id"] for row in one] == [row["id"] for row in other]
    cosines = [np.dot(a["embedding"], b["embedding"]) for a, b in zip(one, other, strict=True)]
    assert min(cosines) >= 0.99999
    for row in (*one, *other):
        del row["embedding"]
    assert one == other
    assert told(here)["skipped"] == told(there)["skipped"]


def with_another_golden_image(package: Path, folder: Path) -> Path:
    """The package as a machine sees it whose encoder computes something else."""
    shutil.copytree(package, folder)
    card = ModelCard.read(folder)
    wrong = pack(np.roll(unpack(card.golden.image), 1))
    golden = card.golden.model_copy(update={"image": wrong})
    card.model_copy(update={"golden": golden}).write(folder)
    return folder


def test_without_ray_the_extra_is_named(
    tmp_path: Path, tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path / "images", 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    given = EmbedOptions(
        str(tmp_path / "images"), str(tmp_path / "out"), tiny_package, engine="ray"
    )
    with pytest.raises(BuildError, match=r"pip install -r requirements/ray\.txt"):
        embed_shards(given)


def test_where_there_is_no_cluster_that_is_told(
    tmp_path: Path, tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_module("ray", NEEDED)
    plant(tmp_path / "images", 1)
    monkeypatch.setenv("RAY_ADDRESS", "nowhere:no")
    given = EmbedOptions(
        str(tmp_path / "images"), str(tmp_path / "out"), tiny_package, engine="ray"
    )
    with pytest.raises(BuildError, match="Ray cannot be used: "):
        embed_shards(given)
