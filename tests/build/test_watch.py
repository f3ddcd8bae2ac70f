"""A folder is watched with the command that a user types, and its bundle kept current."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest
from watchfiles import Change

import build.watch
from build.bundle_from_images import IndexOptions, Outcome
from build.errors import BuildError
from build.watch import Changes, keep_current, told
from models.bundle import Bundle
from tests.build.images import image_bytes, plant

ROOT = Path(__file__).resolve().parents[2]


def paths(bundle: Path) -> set[str]:
    with closing(Bundle.open(bundle)) as opened:
        return {item.image_path for item in opened.items}


def told_next(output: IO[str]) -> str:
    return next(line for line in output if " is " in line)


# Shells have Ctrl-C ignored by what they start in the background, which these tests may be, too.
@pytest.mark.parametrize(
    ("stop", "on_ctrl_c"),
    [(signal.SIGINT, signal.SIG_DFL), (signal.SIGTERM, signal.SIG_IGN)],
    ids=["by Ctrl-C", "in the background"],
)
def test_what_comes_and_goes_is_in_the_next_bundle(
    tmp_path: Path, tiny_package: Path, stop: signal.Signals, on_ctrl_c: signal.Handlers
) -> None:
    images, bundle = tmp_path / "images", tmp_path / "images/bundle"
    plant(images, 3)
    command = [sys.executable, "-m", "build", "watch", str(images), "--output", str(bundle)]
    with subprocess.Popen(
        [*command, "--model", str(tiny_package)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, on_ctrl_c),
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        try:
            assert "is ready: found 3; embedded 3 (of which 0 reused)" in told_next(watching.stdout)
            before = paths(bundle)
            gone = min(before)
            (images / gone).unlink()
            (images / "new.png").write_bytes(image_bytes(99))
            assert "is ready: found 3; embedded 3 (of which 2 reused)" in told_next(watching.stdout)
            assert paths(bundle) == before - {gone} | {"new.png"}
        finally:
            watching.send_signal(stop)
        # The bundle lies in the folder, and did not set off a build of its own.
        assert "ready" not in watching.stdout.read()
        said = watching.stderr.read()
        assert watching.wait() == 130
    assert f" 1 new, 1 gone: {gone}, new.png" in said
    assert said.endswith("stopped; the same command goes on from here\n")
    assert paths(bundle) == before - {gone} | {"new.png"}


def keep(
    images: Path, events: list[Changes], built: Callable[[IndexOptions], Outcome]
) -> list[Outcome]:
    """What is told where this happens and builds end like that."""
    tellings: list[Outcome] = []
    with pytest.MonkeyPatch.context() as patch:

        def changes(*_: object) -> Iterator[Changes]:
            yield from events

        patch.setattr(build.watch, "_changes", changes)
        patch.setattr(build.watch, "build_index", built)
        options = IndexOptions(output=images / "bundle", model=images, images=images)
        keep_current(options, tellings.append)
    return tellings


def test_it_is_built_at_the_start_and_after_changes_only(tmp_path: Path) -> None:
    built: list[IndexOptions] = []
    changed = {(Change.added, str(tmp_path / "a.png"))}
    keep(tmp_path, [set(), set(), changed, set(), changed], built.append)  # type: ignore[arg-type]
    assert len(built) == 3


def test_a_build_that_fails_later_is_told_and_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tries = iter([None, BuildError("the disk is full"), None])
    done: list[None] = []

    def built(_: IndexOptions) -> Outcome:
        error = next(tries)
        if error is not None:
            raise error
        done.append(error)
        return None  # type: ignore[return-value]

    changed = {(Change.added, str(tmp_path / "a.png"))}
    assert len(keep(tmp_path, [set(), changed, changed], built)) == len(done) == 2
    assert "error: the disk is full\n" in capsys.readouterr().err
    with pytest.raises(BuildError, match="no room"):
        keep(tmp_path, [set()], lambda _: (_ for _ in ()).throw(BuildError("no room")))


def test_a_folder_that_is_not_there_is_not_watched(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is no folder: there is nothing to watch"):
        keep(tmp_path / "no", [set()], lambda _: pytest.fail("built"))


def test_much_is_told_in_one_line() -> None:
    changes = {(Change.added, f"/p/{number}.png") for number in range(4)}
    assert told(changes, Path("/p")) == "4 new: 0.png, 1.png, 2.png, …"
    assert told({(Change.modified, "/p/a/b.png")}, Path("/p")) == "1 changed: a/b.png"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/p/a.png", True),
        ("/p/.sightlineignore", True),
        ("/p/bundle/items.sqlite", False),
        ("/p/.bundle.journal.sqlite-wal", False),
        ("/p/.bundle.new/manifest.json", False),
        ("/p/bundles/a.png", True),
        ("/q/a.png", True),
    ],
)
def test_what_a_build_writes_is_no_change(path: str, wanted: bool) -> None:
    assert build.watch._others(Path("/p/bundle"))(Change.added, path) is wanted
