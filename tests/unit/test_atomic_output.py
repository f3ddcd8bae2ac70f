"""Replacing a bundle's folder as a whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import build.atomic_output
from build.atomic_output import Output
from build.errors import BuildError


def make(folder: Path, content: str = "new") -> None:
    output = Output(folder)
    output.recover()
    with output.new_folder() as new:
        (new / "manifest.json").write_text(content)
        output.publish()


def content(folder: Path) -> str:
    return (folder / "manifest.json").read_text()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_bundle_is_made_with_its_parents(tmp_path: Path) -> None:
    make(tmp_path / "some/where/photos")
    assert content(tmp_path / "some/where/photos") == "new"
    assert names(tmp_path / "some/where") == {"photos"}


def test_a_bundle_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    make(tmp_path / "photos", "old")
    (tmp_path / "photos/items.sqlite").write_text("old")
    make(tmp_path / "photos")
    assert names(tmp_path / "photos") == {"manifest.json"}
    assert content(tmp_path / "photos") == "new"
    assert names(tmp_path) == {"photos"}


def test_an_empty_folder_and_a_link_are_filled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "photos").symlink_to(tmp_path / "real")
    make(tmp_path / "photos")
    assert content(tmp_path / "real") == "new"
    assert (tmp_path / "photos").is_symlink()


@pytest.mark.parametrize("name", ["holiday.jpg", "model.json", ".git"])
def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path, name: str) -> None:
    make(tmp_path / "photos", "old")
    (tmp_path / "photos" / name).write_text("mine")
    with pytest.raises(BuildError, match=name):
        Output(tmp_path / "photos")
    assert (tmp_path / "photos" / name).read_text() == "mine"
    assert content(tmp_path / "photos") == "old"


def test_what_was_put_there_meanwhile_is_not_replaced_either(tmp_path: Path) -> None:
    output = Output(tmp_path / "photos")
    with output.new_folder() as new:
        (new / "manifest.json").write_text("new")
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos/mine.txt").write_text("mine")
        with pytest.raises(BuildError, match=r"mine\.txt"):
            output.publish()
    assert names(tmp_path) == {"photos"}
    assert names(tmp_path / "photos") == {"mine.txt"}


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos").write_text("mine")
    with pytest.raises(BuildError, match="is a file"):
        Output(tmp_path / "photos")
    with pytest.raises(BuildError, match="cannot be made"):
        Output(tmp_path / "photos/bundle")


def test_a_build_that_fails_leaves_the_old_bundle(tmp_path: Path) -> None:
    make(tmp_path / "photos", "old")
    with contextlib.suppress(RuntimeError), Output(tmp_path / "photos").new_folder() as new:
        (new / "manifest.json").write_text("half")
        raise RuntimeError
    assert content(tmp_path / "photos") == "old"
    assert names(tmp_path) == {"photos"}


def test_a_build_killed_between_its_two_renames_is_put_right(tmp_path: Path) -> None:
    make(tmp_path / ".photos.old", "old")
    make(tmp_path / ".photos.new", "half")
    Output(tmp_path / "photos").recover()
    assert content(tmp_path / "photos") == "old"
    assert names(tmp_path) == {"photos"}


def test_a_build_killed_after_them_is_put_right(tmp_path: Path) -> None:
    make(tmp_path / "photos", "new")
    make(tmp_path / ".photos.old", "old")
    Output(tmp_path / "photos").recover()
    assert content(tmp_path / "photos") == "new"
    assert names(tmp_path) == {"photos"}


def test_a_reader_finds_a_bundle_at_every_instant(tmp_path: Path) -> None:
    make(tmp_path / "photos", "0")
    if not build.atomic_output._exchange(tmp_path / "photos", tmp_path / "photos"):
        pytest.skip("platform: this file system cannot exchange names")
    done = threading.Event()

    def read() -> int:
        nothing = 0
        while not done.is_set():
            try:
                assert content(tmp_path / "photos").isdecimal()
            except FileNotFoundError:
                # A folder was opened, and emptied before its file was: that reader looks again,
                # and has to find one.
                nothing += not (tmp_path / "photos").is_dir()
        return nothing

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            for turn in range(1, 200):
                make(tmp_path / "photos", str(turn))
        finally:
            done.set()
        missing = reading.result()
    assert missing == 0
    assert names(tmp_path) == {"photos"}


def test_where_names_cannot_be_exchanged_the_old_one_steps_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.atomic_output, "_exchange", lambda one, other: False)
    make(tmp_path / "photos", "old")
    make(tmp_path / "photos", "new")
    assert content(tmp_path / "photos") == "new"
    assert names(tmp_path) == {"photos"}


def test_everything_is_on_the_disk_before_it_has_its_name_and_the_name_before_the_old_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "photos", "old")
    output = Output(tmp_path / "photos")
    log: list[object] = []
    sync, remove = os.fsync, shutil.rmtree

    def noted_sync(descriptor: int) -> None:
        sync(descriptor)
        log.append(os.fstat(descriptor).st_ino)

    def noted_remove(path: Path) -> None:
        if path.exists() and (path / "manifest.json").read_text() == "old":
            log.append("the old one goes")
        remove(path)

    with output.new_folder() as new:
        (new / "manifest.json").write_text("new")
        (new / "items.sqlite").write_text("new")
        inside = {path.stat().st_ino for path in (new, *new.iterdir())}
        monkeypatch.setattr(os, "fsync", noted_sync)
        monkeypatch.setattr(shutil, "rmtree", noted_remove)
        exchange = build.atomic_output._exchange

        def noted_exchange(one: Path, other: Path) -> bool:
            log.append("the name")
            return exchange(one, other)

        monkeypatch.setattr(build.atomic_output, "_exchange", noted_exchange)
        output.publish()
    named = log.index("the name")
    assert inside <= set(log[:named])
    assert log[named + 1 :] == [tmp_path.stat().st_ino, "the old one goes"]


@pytest.mark.parametrize("exchanging", [True, False])
@pytest.mark.parametrize("existing", [True, False])
def test_killed_at_any_step_of_it_a_reader_never_sees_half_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool, exchanging: bool
) -> None:
    exchange = build.atomic_output._exchange if exchanging else lambda one, other: False

    def whole(folder: Path) -> bool:
        return (folder / "manifest.json").read_text() == (folder / "items.sqlite").read_text()

    def fill(folder: Path, content: str) -> None:
        for name in ("manifest.json", "items.sqlite"):
            (folder / name).write_text(content)

    def killed_at(step: int, folder: Path) -> bool:
        """Publish in a child that dies at its ``step``-th action on the disk."""
        steps = iter(range(1000))

        def dying(action: Callable[..., object]) -> Callable[..., object]:
            def act(path: Path, *arguments: object) -> object:
                if next(steps) == step:
                    if action is shutil.rmtree:
                        next(path.iterdir()).unlink()
                    os._exit(9)
                return action(path, *arguments)

            return act

        child = os.fork()
        if child == 0:
            output = Output(folder)
            output.recover()
            with output.new_folder() as new:
                fill(new, "new")
                monkeypatch.setattr(Path, "rename", dying(Path.rename))
                monkeypatch.setattr(build.atomic_output, "_exchange", dying(exchange))
                monkeypatch.setattr(shutil, "rmtree", dying(shutil.rmtree))
                monkeypatch.setattr(build.atomic_output, "_sync", dying(build.atomic_output._sync))
                output.publish()
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    for step in range(1000):
        folder = tmp_path / str(step) / "photos"
        if existing:
            folder.mkdir(parents=True)
            fill(folder, "old")
        died = killed_at(step, folder)
        assert not folder.exists() or whole(folder)
        if existing and exchanging:
            assert folder.exists()
        Output(folder).recover()
        assert whole(folder) if existing or folder.exists() else died
        assert names(folder.parent) <= {"photos"}
        if not died:
            break
    assert step >= (6 if existing else 5)


def test_a_damaged_bundle_has_no_whole_manifest(tmp_path: Path) -> None:
    assert Output(tmp_path / "photos").whole_manifest() is None
    make(tmp_path / "photos", "no manifest at all")
    assert Output(tmp_path / "photos").whole_manifest() is None
