"""A bundle that is changed answers as one that is built of the same images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import models.tuning
import models.vector_index
from build.bundle_from_images import build_index
from build.change import Changed, ChangeOptions, change_bundle
from build.errors import BuildError
from build.index_options import IndexOptions
from models.bundle import Bundle
from models.damage import DamagedError
from models.items import item_id
from models.manifest import Manifest
from tests.build.images import image_bytes
from tests.numbered import answers, codes_for_few, facts_of, path_of, vector_of

ROOT = Path(__file__).resolve().parents[2]
START = 180
# Which number an image of a path has: its embedding, its words and its facts follow from it.
State = dict[str, int]
SHARED = ("embeddings.npy", "thumbnails.sqlite", "text_encoder.onnx", "image_encoder.onnx")
CHANGED = {"rows.npy", "embeddings.changed.npy", "thumbnails.changed.sqlite"}


def write(folder: Path, state: State) -> tuple[Path, Path]:
    """Embeddings and a table of them."""
    folder.mkdir(exist_ok=True)
    np.save(folder / "x.npy", np.stack([vector_of(number) for number in state.values()]))
    rows = [{"image_path": path} | facts_of(number) for path, number in state.items()]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "x.parquet")
    return folder / "x.npy", folder / "x.parquet"


def draw(root: Path, state: State) -> None:
    """The files of every third image."""
    for path, number in state.items():
        if number % 3 == 0:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(image_bytes(number))


@pytest.fixture(scope="module", autouse=True)
def coded() -> Any:
    """Codes for few images, too."""
    with codes_for_few():
        yield


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, tiny_package: Path) -> Path:
    """A folder with a bundle of ``START`` images, and those of them that have files."""
    folder = tmp_path_factory.mktemp("start")
    make(folder, {path_of(number): number for number in range(START)}, tiny_package)
    return folder


def make(folder: Path, state: State, package: Path) -> None:
    (folder / "images").mkdir(exist_ok=True)
    draw(folder / "images", state)
    embeddings, paths = write(folder / "given", state)
    options = IndexOptions(
        output=folder / "bundle",
        model=package,
        images=folder / "images",
        embeddings=embeddings,
        paths=paths,
    )
    build_index(options)


def copy(start: Path, folder: Path) -> Path:
    """The same in another place."""
    shutil.copytree(start, folder)
    manifest = Manifest.read(folder / "bundle")
    root = str((folder / "images").resolve())
    manifest.model_copy(update={"image_root": root}).write(folder / "bundle")
    return folder


def change(folder: Path, coming: State, going: list[str]) -> Changed:
    """Change the bundle of a folder, and say what became of it."""
    draw(folder / "images", coming)
    embeddings, paths = write(folder / "coming", coming) if coming else (None, None)
    remove = None
    if going:
        remove = folder / "going.txt"
        remove.write_text("\n".join(going))
    return change_bundle(
        ChangeOptions(
            bundle=folder / "bundle",
            images=folder / "images",
            embeddings=embeddings,
            paths=paths,
            remove=remove,
        )
    )


# To make a failing example smaller takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
# What comes: numbers of paths and how far the image is another one; what goes: where in the list.
STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, START + 40), st.sampled_from([0, 1000]), max_size=30),
        st.sets(st.integers(0, START - 1), max_size=40),
    ),
    min_size=1,
    max_size=3,
)


@settings(
    max_examples=4, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_whatever_comes_and_goes(
    start: Path, tiny_package: Path, tmp_path_factory: pytest.TempPathFactory, steps: Any
) -> None:
    folder = copy(start, tmp_path_factory.mktemp("changed") / "one")
    state = {path_of(number): number for number in range(START)}
    for coming, going in steps:
        come = {path_of(number): number + other for number, other in coming.items()}
        there = sorted(state)
        go = [there[at] for at in sorted(going) if at < len(there) and there[at] not in come]
        if not come and not go:
            continue
        known = [path for path in come if path in state]
        outcome = change(folder, come, go)
        state = {path: number for path, number in state.items() if path not in go} | come
        assert outcome == Changed(
            len(come) - len(known), len(known), len(go), 0, len(state), outcome.renewed
        )
    anew = folder.with_name("anew")
    anew.mkdir()
    shutil.copytree(folder / "images", anew / "images")
    make(anew, state, tiny_package)
    expected = answers(anew / "bundle")
    expected["root"] = str((folder / "images").resolve())
    assert answers(folder / "bundle") == expected


def test_what_does_not_change_is_shared_and_not_written_again(start: Path, tmp_path: Path) -> None:
    copy(start, tmp_path / "one")
    bundle = tmp_path / "one/bundle"
    before = {name: (bundle / name).stat().st_ino for name in SHARED}
    old = Bundle.open(bundle)
    thumbnail = old.thumbnails.get(0)
    outcome = change(tmp_path / "one", {path_of(0): 999}, [path_of(1)])
    assert not outcome.renewed
    assert {name: (bundle / name).stat().st_ino for name in SHARED} == before
    assert {path.name for path in bundle.iterdir()} >= CHANGED
    # Whoever serves the old one goes on with it.
    assert (old.index.reconstruct(0) == vector_of(0)).all()
    assert old.thumbnails.get(0) == thumbnail
    assert len(old.items) == START
    with closing(Bundle.open(bundle)) as new:
        position = new.items.position_of(item_id(path_of(0)))
        assert position == 0
        assert (new.index.reconstruct(0) == vector_of(999)).all()
        assert new.thumbnails.get(0) not in (None, thumbnail)
    old.close()


def test_where_there_are_no_hard_links_files_are_copied(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(os, "link", refuse)
    copy(start, tmp_path / "one")
    before = (tmp_path / "one/bundle/embeddings.npy").stat().st_ino
    assert not change(tmp_path / "one", {}, [path_of(1)]).renewed
    assert (tmp_path / "one/bundle/embeddings.npy").stat().st_ino != before
    assert path_of(1) not in answers(tmp_path / "one/bundle")["items"]


def test_much_is_written_anew_in_the_order_of_the_paths(start: Path, tmp_path: Path) -> None:
    copy(start, tmp_path / "one")
    bundle = tmp_path / "one/bundle"
    some, more = (
        {path_of(number): number for number in range(start, start + 60)}
        for start in (START, START + 60)
    )
    assert not change(tmp_path / "one", some, []).renewed
    assert change(tmp_path / "one", more, []).renewed
    assert not {path.name for path in bundle.iterdir()} & CHANGED
    with closing(Bundle.open(bundle)) as new:
        paths = [item.image_path for item in new.items]
    assert paths == sorted(path_of(number) for number in range(START + 120))
    # So are those of which half is gone.
    gone = paths[: len(paths) // 2 - 2]
    assert not change(tmp_path / "one", {}, gone).renewed
    assert change(tmp_path / "one", {}, paths[len(gone) : len(gone) + 5]).renewed


def refused(folder: Path, **options: Any) -> str:
    before = answers(folder / "bundle")
    with pytest.raises((BuildError, DamagedError)) as error:
        change_bundle(ChangeOptions(bundle=folder / "bundle", **options))
    assert answers(folder / "bundle") == before
    return str(error.value)


def test_what_makes_no_sense_is_told_and_changes_nothing(start: Path, tmp_path: Path) -> None:
    folder = copy(start, tmp_path / "one")
    embeddings, paths = write(folder / "coming", {path_of(3): 3})
    (folder / "all.txt").write_text("\n".join(path_of(number) for number in range(START)))
    (folder / "one.txt").write_text(path_of(3))
    assert refused(folder).startswith("nothing to change: ")
    assert refused(folder, remove=folder / "all.txt").startswith("no image would be left")
    both = refused(folder, embeddings=embeddings, paths=paths, remove=folder / "one.txt")
    assert both.startswith(f"{path_of(3)} is to be added and to be removed")
    other = refused(folder, images=tmp_path, remove=folder / "one.txt")
    assert other.startswith(f"the images of {folder / 'bundle'} are in {folder / 'images'}: ")


def test_what_is_not_there_cannot_go(start: Path, tmp_path: Path) -> None:
    folder = copy(start, tmp_path / "one")
    before = (folder / "bundle/manifest.json").read_bytes()
    assert change(folder, {}, ["no/such.png"]) == Changed(0, 0, 0, 1, START, renewed=False)
    assert (folder / "bundle/manifest.json").read_bytes() == before
    assert change(folder, {}, ["no/such.png", path_of(4)]).removed == 1


@pytest.mark.parametrize(
    "name", ["items.sqlite", "index.faiss", "tuning.npz", "rows.npy", *sorted(CHANGED)[:1]]
)
def test_damage_to_what_is_written_again_is_not_carried_on(
    start: Path, tmp_path: Path, name: str
) -> None:
    folder = copy(start, tmp_path / "one")
    change(folder, {path_of(0): 999}, [path_of(1)])
    content = bytearray((folder / "bundle" / name).read_bytes())
    content[-1] ^= 1
    (folder / "bundle" / name).write_bytes(content)
    with pytest.raises(DamagedError, match=rf"{name} is damaged: its SHA-256"):
        change(folder, {path_of(2): 1001}, [])
    assert (folder / "bundle" / name).read_bytes() == content


def test_a_change_that_is_killed_leaves_the_bundle_whole(start: Path, tmp_path: Path) -> None:
    folder = copy(start, tmp_path / "one")
    before = answers(folder / "bundle")
    (folder / "going.txt").write_text(path_of(1))
    # Where the new folder has everything but its index and manifest.
    killed = (
        "import os, sys, pathlib, models.vector_index as index, build.change as change\n"
        "index.VectorIndex.save_codes = lambda *_: os._exit(9)\n"
        "bundle, going = map(pathlib.Path, sys.argv[1:])\n"
        "change.change_bundle(change.ChangeOptions(bundle=bundle, remove=going))\n"
    )
    command = [sys.executable, "-c", killed, str(folder / "bundle"), str(folder / "going.txt")]
    assert subprocess.run(command, cwd=ROOT).returncode == 9
    assert (folder / ".bundle.new/items.sqlite").exists()
    assert answers(folder / "bundle") == before
    assert change(folder, {}, [path_of(1)]).removed == 1
    assert not (folder / ".bundle.new").exists()
    assert before["items"].keys() - answers(folder / "bundle")["items"].keys() == {path_of(1)}


def test_codebooks_that_do_not_fit_any_more_are_made_anew(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy(start, tmp_path / "one")
    monkeypatch.setattr(models.tuning.Tuning, "again", lambda *_: None)
    assert change(folder, {path_of(0): 999}, []).renewed
    assert not {path.name for path in (folder / "bundle").iterdir()} & CHANGED
    with closing(Bundle.open(folder / "bundle")) as bundle:
        position = bundle.items.position_of(item_id(path_of(0)))
        assert position is not None
        assert (bundle.index.reconstruct(position) == vector_of(999)).all()


def test_recall_is_kept_over_twenty_changes(
    tmp_path: Path, tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against all vectors, for queries that nothing was tuned with, beside a new build's."""
    count, part = 3000, 30
    monkeypatch.setattr(models.tuning, "CANDIDATES", (24, 48, 96, 192))
    numbers = list(range(count))
    rows = np.stack([vector_of(number) for number in range(count + 20 * part)])

    def given_files(some: list[int]) -> dict[str, Path]:
        np.save(tmp_path / "x.npy", rows[some])
        (tmp_path / "x.txt").write_text("\n".join(f"{number}.png" for number in some))
        return {"embeddings": tmp_path / "x.npy", "paths": tmp_path / "x.txt"}

    def recall(bundle: Path) -> float:
        queries = np.stack([vector_of(100_000 + number) for number in range(200)])
        with closing(Bundle.open(bundle)) as opened:
            all_rows = opened.index.embeddings.rows(np.arange(len(opened.index)))
            true = np.argsort(-(queries @ all_rows.T), axis=1)[:, :10]
            _, found = opened.index.search(queries, 10)
        return float(np.mean([np.isin(a, b).mean() for a, b in zip(true, found, strict=True)]))

    def built(name: str) -> Path:
        options = given_files(numbers)
        build_index(IndexOptions(output=tmp_path / name, model=tiny_package, **options))
        return tmp_path / name

    bundle = built("changed")
    first = recall(bundle)
    renewed = 0
    for step in range(20):
        going, numbers = numbers[:part], numbers[part:]
        (tmp_path / "going.txt").write_text("\n".join(f"{number}.png" for number in going))
        coming = list(range(count + step * part, count + (step + 1) * part))
        numbers += coming
        outcome = change_bundle(
            ChangeOptions(bundle=bundle, remove=tmp_path / "going.txt", **given_files(coming))
        )
        renewed += outcome.renewed
    assert not renewed
    last = recall(bundle)
    assert 0.9 < first < 1
    assert last >= min(first, recall(built("anew"))) - 0.002
