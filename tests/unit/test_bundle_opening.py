"""Where the bundle comes from, and what is said where it cannot be served."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.bundle import Bundle
from models.manifest import DamagedError, Manifest
from serving import bundle_opening, remote
from serving.bundle_opening import check_bundle, open_bundle, try_to_open
from serving.settings import Settings
from tests.documents import manifest

FOLDER, VERSION = "SIGHTLINE_CHECKED_BUNDLE", "SIGHTLINE_CHECKED_VERSION"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, Any]]]:
    """What is opened, in place of opening it."""
    calls: list[tuple[Path, dict[str, Any]]] = []
    monkeypatch.setattr(Bundle, "open", lambda folder, **options: calls.append((folder, options)))
    for name in (FOLDER, VERSION):
        monkeypatch.delenv(name, raising=False)
    return calls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle as far as its manifest goes."""
    manifest().write(tmp_path)
    return tmp_path


def settings(bundle: object, **others: Any) -> Settings:
    return Settings(bundle=str(bundle), **others)


def test_a_folder_is_opened_and_hashed(
    opened: list[tuple[Path, dict[str, Any]]], folder: Path
) -> None:
    open_bundle(settings(folder, threads=3))
    assert opened == [(folder, {"threads": 3, "verify": True, "elsewhere": None})]


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("same", [False, True])
def test_what_was_checked_before_is_not_hashed_again(
    opened: list[tuple[Path, dict[str, Any]]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh: bool,
    same: bool,
) -> None:
    """By the version that its manifest had, not by where it lies: there may be another by now."""
    monkeypatch.setenv(VERSION, Manifest.read(folder).version if same else "another")
    open_bundle(settings(folder), fresh=fresh)
    assert opened[0][1]["verify"] == (fresh or not same)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("checked", [False, True])
def test_an_address_is_fetched_unless_that_was_done(
    opened: list[tuple[Path, dict[str, Any]]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fresh: bool,
    checked: bool,
) -> None:
    asked: list[tuple[str, Path]] = []

    def fetch(address: str, cache: Path) -> Path:
        asked.append((address, cache))
        return folder

    monkeypatch.setattr(remote, "fetch", fetch)
    if checked:
        monkeypatch.setenv(FOLDER, str(folder))
    address = "https://example.org/photos"
    open_bundle(settings(address, bundle_cache=tmp_path / "cache"), fresh=fresh)
    assert opened[0][0] == folder
    assert asked == ([] if checked and not fresh else [(address, tmp_path / "cache")])


def test_without_a_word_it_is_the_bento_s_or_the_demo_s(
    opened: list[tuple[Path, dict[str, Any]]],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import bentoml

    def nothing(tag: str) -> None:
        assert tag == "sightline-bundle"
        raise bentoml.exceptions.NotFound("none")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundles" / "demo").mkdir(parents=True)
    manifest().write(tmp_path / "bundles" / "demo")
    monkeypatch.setattr(bentoml.models, "get", nothing)
    open_bundle(Settings())
    stored = type("Stored", (), {"path": str(folder)})
    monkeypatch.setattr(bentoml.models, "get", lambda tag: stored)
    open_bundle(Settings())
    # In an image the code lies in src/ and the models beside that.
    packed = tmp_path / "image" / "models" / "sightline-bundle" / "abc"
    packed.mkdir(parents=True)
    manifest().write(packed)
    code = tmp_path / "image" / "src" / "serving" / "bundle_opening.py"
    monkeypatch.setattr(bundle_opening, "__file__", str(code))
    open_bundle(Settings())
    assert [each for each, _ in opened] == [Path("bundles/demo"), folder, packed]


def test_what_is_damaged_ends_in_a_line(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*/nowhere/manifest\.json does not exist"):
        open_bundle(settings(tmp_path / "nowhere"))
    with pytest.raises(SystemExit, match=r"^error: .*/nowhere/manifest\.json does not exist"):
        check_bundle(settings(tmp_path / "nowhere"))
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match=r"^error: .*/nowhere/manifest\.json does not exist"):
        try_to_open()


def test_speech_is_looked_for_at_the_start(
    opened: list[tuple[Path, dict[str, Any]]], folder: Path
) -> None:
    for look in (open_bundle, check_bundle):
        with pytest.raises(SystemExit, match=r"^error: SIGHTLINE_SPEECH_MODEL: 'nosuch' is no"):
            look(settings(folder, speech_model="nosuch"))


def test_it_is_opened_once_for_all_workers_in_another_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], dict[str, Any]]] = []
    ended = subprocess.CompletedProcess[str]([], 0, stderr="")

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append((command, options))
        return ended

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("PYTHONPATH", "before")
    monkeypatch.setenv(FOLDER, "")
    monkeypatch.setenv(VERSION, "")
    check_bundle(settings(folder))
    [(command, options)] = asked
    assert command[0] == sys.executable
    assert command[1:3] == ["-P", "-c"]
    assert command[3] == "from serving.bundle_opening import try_to_open; try_to_open()"
    assert command[4] == str(folder)
    root = str(Path(bundle_opening.__file__).resolve().parents[1])
    assert options["env"]["PYTHONPATH"] == os.pathsep.join([root, "before"])
    assert options["env"]["HOME"] == os.environ["HOME"]
    assert options["stderr"] == subprocess.PIPE
    assert options["text"] is True
    # The workers are told.
    assert os.environ[FOLDER] == str(folder.resolve())
    assert os.environ[VERSION] == Manifest.read(folder).version

    ended = subprocess.CompletedProcess([], 1, stderr="error: items.sqlite is damaged\n")
    with pytest.raises(SystemExit) as refused:
        check_bundle(settings(folder))
    assert str(refused.value) == "error: items.sqlite is damaged"


def test_that_process_checks_the_image_encoder_and_closes_what_it_has_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    class Encoder:
        def check(self) -> None:
            done.append("check")

    class Opened:
        image_encoder: Encoder | None = None

        def close(self) -> None:
            done.append("close")

    opened = Opened()
    monkeypatch.setattr(sys, "argv", ["-c", str(folder)])
    monkeypatch.setattr(Bundle, "open", lambda path, elsewhere: {folder: opened}[path])
    try_to_open()
    opened.image_encoder = Encoder()
    try_to_open()
    assert done == ["close", "check", "close"]

    def damaged(path: Path, elsewhere: object) -> None:
        raise DamagedError("index.faiss is damaged")

    monkeypatch.setattr(Bundle, "open", damaged)
    with pytest.raises(SystemExit, match=r"^error: index\.faiss is damaged$"):
        try_to_open()


def test_what_milvus_needs_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    for name in [name for name in sys.modules if name.startswith("models.milvus.")]:
        monkeypatch.delitem(sys.modules, name)
    elsewhere = Settings(bundle=str(folder), collection="milvus+http://host:19530/photos")
    with pytest.raises(SystemExit, match=r"requirements/milvus\.txt"):
        open_bundle(elsewhere)
