"""Places for shards: on the disk, and elsewhere, where a file gets its name at the end."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from build.errors import BuildError
from build.shards.storage import MissingError, RemoteStorage, Storage, is_address, storage_at


@pytest.fixture(params=["", "file://", "local://"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A folder by its path, by its address, and by one that only fsspec understands."""
    return storage_at(f"{request.param}{tmp_path / 'out'}")


def test_what_is_written_is_there(storage: Storage, tmp_path: Path) -> None:
    assert storage.names() == []
    storage.write("one.json", b"{}")
    storage.write("_done/one.json", b"[1]")
    part = storage.part("table")
    part.write_bytes(b"PAR1")
    storage.put(part, "table")
    assert not part.exists()
    assert (storage.read("one.json"), storage.read("_done/one.json")) == (b"{}", b"[1]")
    with storage.open("table") as stream:
        assert stream.read() == b"PAR1"
    assert (storage.size("table"), storage.size("none")) == (4, None)
    assert [name for name in storage.names() if not name.endswith("_done")] == ["one.json", "table"]
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) == 3
    for _ in range(2):
        storage.remove("one.json")
    with pytest.raises(MissingError):
        storage.read("one.json")
    with pytest.raises(BuildError, match=r"one\.json"):
        storage.open("one.json")


def test_what_a_killed_run_has_left_is_taken_away(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.part("shard").write_bytes(b"half")
    (tmp_path / ".mine").write_bytes(b"")
    storage.tidy()
    assert storage.names() == [".mine"]


def test_a_network_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times; what is refused, or not there, once."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    storage = RemoteStorage(f"local://{tmp_path}")
    failures: list[Exception] = [TimeoutError("late"), ConnectionError("reset")]

    def ask() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    assert storage.tried("x", ask) == "answer"
    assert len(pauses) == 2
    failures += [TimeoutError("late\nand later")] * 4
    with pytest.raises(BuildError, match=r"/x: TimeoutError: late and later\. Check the address"):
        storage.tried("x", ask)
    assert failures == []
    failures += [PermissionError("no")] * 2
    with pytest.raises(BuildError, match="PermissionError: no"):
        storage.tried("x", ask)
    assert len(failures) == 1


def test_a_place_is_sent_to_another_process(tmp_path: Path) -> None:
    for place in (str(tmp_path), f"local://{tmp_path}"):
        storage: Any = pickle.loads(pickle.dumps(storage_at(place)))
        storage.write("x", b"x")
        assert storage.read("x") == b"x"


def test_drives_are_no_addresses() -> None:
    assert [is_address(each) for each in ("s3://b/x", "C:\\x", "/x", "file:///x", "a/b")] == [
        True,
        False,
        False,
        False,
        False,
    ]


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.fsspec", None)
    with pytest.raises(BuildError, match=r"pip install -r requirements/remote\.txt"):
        storage_at("s3://bucket/x")
