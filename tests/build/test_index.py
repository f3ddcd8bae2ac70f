"""From a folder of images to a bundle, with the command that a user types."""

from __future__ import annotations

import base64
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import build.seeing as build_seeing
from build.bundle_from_images import Outcome, build_index
from build.errors import BuildError
from build.index_options import IndexOptions
from build.journal import Journal
from build.thumbhash import thumbhash
from models.bundle import Bundle
from models.damage import DamagedError
from models.file_names import MANIFEST
from models.images import ImageError, decode
from models.items import Item, item_id
from models.manifest import Manifest
from models.preprocessing import preprocess, reduced_side
from tests.build.images import BROKEN, image_bytes, plant, plant_broken
from tests.tiny_package import write_tiny_package

ROOT = Path(__file__).resolve().parents[2]
# Builds that are caught at work: `make soak` has as many again.
KILLS = 20 if os.environ.get("SIGHTLINE_SOAK") == "1" else 10
COUNTS = r"found {found}; embedded {embedded} (of which {reused} reused); skipped {skipped}"

Build = Callable[..., Outcome]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "build", "index", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True)


def content(bundle: Path) -> dict[str, Any]:
    """All that a bundle says and holds, but for the time of its making."""
    return Manifest.read(bundle).model_dump(exclude={"created"})


def items(bundle: Path) -> dict[str, Item]:
    return {item.image_path: item for item in Bundle.open(bundle).items}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    plant(tmp_path / "images", 24)
    return tmp_path / "images"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "bundles" / "photos"


@pytest.fixture
def build(images: Path, bundle: Path, tiny_package: Path) -> Build:
    """Build the bundle of the images, within this process."""

    def build(**options: Any) -> Outcome:
        given = {"output": bundle, "model": tiny_package, "images": images} | options
        return build_index(IndexOptions(**given))

    return build


def test_a_folder_becomes_a_bundle_that_finds_its_images(
    images: Path, bundle: Path, tiny_package: Path
) -> None:
    plant_broken(images)
    (images / "a/0000.txt").write_text("A red fox\n")
    (images / "captions.csv").write_text(
        "image_path,caption,year\nb/0001.png,An owl,1999\nx.png,,\n"
    )
    built = run("--images", images, "--output", bundle, "--model", tiny_package)
    assert built.returncode == 0, built.stderr
    last = built.stdout.splitlines()[-1]
    assert last.startswith(COUNTS.format(found=36, embedded=24, reused=0, skipped=12))
    for reason, count in Counter(BROKEN.values()).items():
        assert f"{reason} {count}" in last
    assert "captions.csv: 1 rows name no image" in built.stderr

    opened = Bundle.open(bundle)
    manifest = opened.manifest
    assert manifest.images == 24
    assert manifest.image_root == str(images)
    assert {each.path: each.reason for each in manifest.skipped} == BROKEN
    assert all(each.detail for each in manifest.skipped)
    assert {"faiss-cpu", "onnxruntime", "pillow", "python"} <= set(manifest.versions)

    found = list(opened.items)
    assert [item.image_path for item in found] == sorted(item.image_path for item in found)
    assert [item.position for item in found] == list(range(24))
    for item in found:
        assert item.id == item_id(item.image_path)
        assert (item.width, item.height) == (60, 48)
        thumbnail = opened.thumbnails.get(item.position)
        assert thumbnail is not None
        assert decode(thumbnail).size == (60, 48)
        with Image.open(io.BytesIO(thumbnail)) as image:
            assert item.thumbhash == base64.b64encode(thumbhash(image)).decode()
        preprocessing = manifest.model.preprocessing
        seen = decode(images / item.image_path, reduce_to=reduced_side(preprocessing))
        vector = opened.image_encoder.encode(preprocess(seen, preprocessing)[np.newaxis])
        assert (vector[0] == opened.index.reconstruct(item.position)).all()
        assert opened.index.search(vector, 1)[1].tolist() == [[item.position]]

    said = {item.image_path: item for item in found}
    assert said["a/0000.jpg"].alt_text == "A red fox"
    assert said["a/0000.jpg"].sources == {"caption": "sidecar", "alt_text": "sidecar"}
    assert said["b/0001.png"].caption == "An owl"
    assert said["b/0001.png"].metadata == {"year": 1999}
    assert said["c/0002.webp"].alt_text.startswith("Probably: ")
    assert said["c/0002.webp"].sources == {"alt_text": "tags"}


def test_only_what_changed_is_embedded(images: Path, bundle: Path, build: Build) -> None:
    assert build().reused == 0
    before = content(bundle)
    again = build()
    assert (again.reused, again.changed) == (24, False)

    (images / "new.png").write_bytes(image_bytes(1000))
    (images / "a/0000.jpg").write_bytes(image_bytes(1001, "jpg"))
    (images / "b/0001.png").unlink()
    (images / "c/0002.webp").rename(images / "c/moved.webp")
    os.utime(images / "d/0003.gif")
    (images / "e/0004.bmp").write_bytes(b"broken now")
    renewed = build()
    assert (renewed.found, renewed.embedded, renewed.reused) == (24, 23, 21)
    paths = set(items(bundle))
    assert {"new.png", "c/moved.webp", "d/0003.gif"} <= paths
    assert not {"b/0001.png", "c/0002.webp", "e/0004.bmp"} & paths
    assert {each["path"] for each in content(bundle)["skipped"]} == {"e/0004.bmp"}

    shutil.rmtree(bundle.parent)
    assert build().reused == 0
    from_nothing = content(bundle)
    assert renewed.changed
    assert from_nothing != before
    shutil.rmtree(bundle)
    assert build().reused == 23
    assert content(bundle) == from_nothing


def test_nothing_is_forgotten_that_may_come_back(
    images: Path, bundle: Path, build: Build, tmp_path: Path
) -> None:
    """A disk that is not mounted, and a folder of it that is missing for one run."""
    build()
    away, lost = tmp_path / "away", images / "a"
    images.rename(away)
    images.mkdir()
    with pytest.raises(BuildError, match="holds no images"):
        build(prune=True)
    images.rmdir()
    with pytest.raises(BuildError, match="is no folder"):
        build(prune=True)
    away.rename(images)
    count = len(list(lost.iterdir()))
    lost.rename(away)
    partly = build()
    assert (partly.embedded, partly.gone) == (24 - count, count)
    away.rename(lost)
    again = build()
    assert (again.embedded, again.reused, again.gone) == (24, 24, 0)
    lost.rename(away)
    assert build(prune=True).gone == 0
    away.rename(lost)
    last = build()
    assert (last.embedded, last.reused) == (24, 24 - count)


def test_what_the_machine_could_not_do_is_tried_again(
    images: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with the image itself is not."""
    (images / "broken.jpg").write_bytes(b"broken")
    tried: list[bytes] = []
    read = build_seeing.read

    def fails(content: bytes, **options: Any) -> Any:
        tried.append(content)
        if content == first:
            raise ImageError("too large", "it does not fit into memory", lasting=False)
        return read(content, **options)

    first = (images / "a/0000.jpg").read_bytes()
    monkeypatch.setattr(build_seeing, "read", fails)
    time.sleep(2.5)
    assert build().skipped == {"too large": 1, "not an image": 1}
    assert len(tried) == 25
    tried.clear()
    assert build().skipped == {"too large": 1, "not an image": 1}
    assert tried == [first]
    monkeypatch.undo()
    assert (build().embedded, build().skipped) == (24, {"not an image": 1})


def test_a_bundle_of_an_older_format_is_replaced_and_nothing_embedded_anew(
    bundle: Path, build: Build
) -> None:
    build()
    before = content(bundle)
    Manifest.read(bundle).model_copy(update={"format": "sightline-bundle/1"}).write(bundle)
    with pytest.raises(DamagedError, match="Build it again"):
        Bundle.open(bundle)
    again = build()
    assert (again.reused, again.changed) == (24, True)
    assert content(bundle) == before


def test_a_filter_finds_both_forms_of_a_word(images: Path, bundle: Path, build: Build) -> None:
    lines = (
        '{"file_name": "b/0001.png", "city": "Zürich"}',
        '{"file_name": "c/0002.webp", "city": "Zu\u0308rich"}',
    )
    (images / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    build()
    opened = Bundle.open(bundle)
    for city in ("Z\u00fcrich", "Zu\u0308rich"):
        found = opened.items.get(opened.items.matching({"city": city}).positions.tolist())
        assert [item.image_path for item in found] == ["b/0001.png", "c/0002.webp"]


def test_a_renewed_bundle_is_the_one_that_one_run_makes(
    images: Path, bundle: Path, build: Build, tmp_path: Path
) -> None:
    build()
    plant(images, 40)
    (images / "a/0007.png").unlink()
    build()
    build(output=tmp_path / "at once")
    assert content(bundle) == content(tmp_path / "at once")


def test_a_changed_caption_changes_words_only(images: Path, bundle: Path, build: Build) -> None:
    build()
    before, vectors = items(bundle), (bundle / "index.faiss").read_bytes()
    (images / "b/0001.txt").write_text("A red fox")
    outcome = build()
    assert (outcome.reused, outcome.changed) == (24, True)
    after = items(bundle)
    assert after.pop("b/0001.png").alt_text == "A red fox"
    del before["b/0001.png"]
    assert after == before
    assert (bundle / "index.faiss").read_bytes() == vectors


def test_another_content_of_the_same_size_and_time_is_seen(
    images: Path, bundle: Path, build: Build
) -> None:
    one, other = images / "e/0004.bmp", images / "d/0010.bmp"
    assert one.stat().st_size == other.stat().st_size
    for path in (one, other):
        os.utime(path, ns=(10**18, 10**18))
    build()
    before = content(bundle)
    one.rename(images / "aside")
    other.rename(one)
    (images / "aside").rename(other)
    assert build().reused >= 22
    assert content(bundle)["files"]["index.faiss"] != before["files"]["index.faiss"]


def test_another_model_embeds_everything_anew(bundle: Path, build: Build, tmp_path: Path) -> None:
    build()
    before = (bundle / "index.faiss").read_bytes()
    write_tiny_package(tmp_path / "other", seed=1)
    assert build(model=tmp_path / "other").reused == 0
    assert (bundle / "index.faiss").read_bytes() != before
    assert Bundle.open(bundle)


def test_random_weights_do_not_pretend_to_see(bundle: Path, build: Build, tmp_path: Path) -> None:
    write_tiny_package(tmp_path / "random", pretrained="random")
    build(model=tmp_path / "random")
    said = {(item.alt_text, item.sources.get("alt_text")) for item in items(bundle).values()}
    assert said == {("Picture, 60 by 48 pixels", None)}


def test_a_damaged_bundle_is_built_again(bundle: Path, build: Build) -> None:
    build()
    before = content(bundle)
    (bundle / "items.sqlite").write_bytes(b"damaged")
    assert build().changed
    assert content(bundle) == before
    Bundle.open(bundle)


def test_a_sample_is_reproducible(images: Path, bundle: Path, build: Build) -> None:
    assert build(sample_size=10, seed=1).embedded == 10
    first = set(items(bundle))
    build(sample_size=10, seed=2)
    assert set(items(bundle)) != first
    again = build(sample_size=10, seed=1)
    assert set(items(bundle)) == first
    assert again.reused == 10
    assert build(sample_size=1000).embedded == 24


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_both_metrics_find_the_same(bundle: Path, build: Build, metric: str) -> None:
    build(metric=metric)
    opened = Bundle.open(bundle)
    assert opened.manifest.index.metric == metric
    similarities, positions = opened.index.search(opened.index.reconstruct(5)[np.newaxis], 1)
    assert positions.tolist() == [[5]]
    np.testing.assert_allclose(similarities, 1, atol=1e-6)


def test_nothing_to_embed_is_an_error(
    bundle: Path, tmp_path: Path, build: Build, images: Path
) -> None:
    build()
    before = content(bundle)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match="holds no images"):
        build(images=tmp_path / "empty")
    plant_broken(tmp_path / "broken")
    with pytest.raises(BuildError, match=r"all 12 were skipped \(bomb\.bmp: too large; "):
        build(images=tmp_path / "broken")
    with pytest.raises(BuildError, match="nowhere is no folder"):
        build(images=tmp_path / "nowhere")
    assert content(bundle) == before
    assert {path.name for path in bundle.parent.iterdir()} == {"photos", ".photos.journal.sqlite"}


def test_a_package_that_is_not_whole_is_named_before_anything_is_done(
    build: Build, bundle: Path, tiny_package: Path, tmp_path: Path
) -> None:
    package = tmp_path / "package"
    shutil.copytree(tiny_package, package)
    graph = bytearray((package / "image_encoder.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (package / "image_encoder.onnx").write_bytes(graph)
    with pytest.raises(DamagedError, match=r"image_encoder\.onnx is damaged"):
        build(model=package)
    with pytest.raises(
        BuildError, match=r"ViT-B-32 is no model package.*build model --model ViT-B"
    ):
        build(model=Path("ViT-B-32"))
    assert not bundle.parent.exists()


def test_an_encoder_that_fails_is_named(build: Build, bundle: Path, tmp_path: Path) -> None:
    card = write_tiny_package(tmp_path / "wide")
    wide = card.preprocessing.model_copy(update={"width": 64, "height": 64})
    card.model_copy(update={"preprocessing": wide}).write(tmp_path / "wide")
    with pytest.raises(DamagedError, match=r"wide: the image encoder fails: .*dimension"):
        build(model=tmp_path / "wide")
    assert not bundle.parent.exists()


def test_an_encoder_that_fails_on_one_image_names_it(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = np.zeros((3, 64, 64), dtype=np.float32)
    monkeypatch.setattr("build.seeing.preprocess", lambda image, preprocessing: wide)
    with pytest.raises(BuildError, match=r"image encoder fails on it: .*dimension"):
        build()


def test_another_folder_is_not_overwritten(images: Path, tiny_package: Path, bundle: Path) -> None:
    built = run("--images", images, "--output", images, "--model", tiny_package)
    assert built.returncode == 1
    assert built.stderr.startswith("error: ")
    assert "not only a bundle" in built.stderr
    assert len(list(images.rglob("*.*"))) == 24


def test_two_builds_at_once_do_not_meet(
    images: Path, bundle: Path, tiny_package: Path, build: Build
) -> None:
    build()
    before = content(bundle)
    with Journal(bundle.with_name(".photos.journal.sqlite"), "any", None):
        second = run("--images", images, "--output", bundle, "--model", tiny_package)
    assert second.returncode == 1
    assert "another build is writing to this output" in second.stderr
    assert content(bundle) == before


def test_images_that_change_hands_at_any_thread_count(
    bundle: Path, build: Build, tmp_path: Path
) -> None:
    build(threads=1)
    build(threads=5, output=tmp_path / "five")
    assert content(bundle) == content(tmp_path / "five")


def save_vectors(folder: Path, lines: list[str], seed: int = 0) -> tuple[Path, Path]:
    rows = np.random.default_rng(seed).standard_normal((len(lines), 24)) * 5
    np.save(folder / "x.npy", rows)
    (folder / "paths.txt").write_bytes("\r\n".join([*lines, ""]).encode())
    return folder / "x.npy", folder / "paths.txt"


def test_vectors_that_exist_become_a_bundle(
    images: Path, bundle: Path, tiny_package: Path, tmp_path: Path
) -> None:
    x, paths = save_vectors(tmp_path, ["d\\e\\3.jpg", "b/2.jpg", "a\\1.jpg"])
    built = run("--embeddings", x, "--paths", paths, "--model", tiny_package, "--output", bundle)
    assert built.returncode == 0, built.stderr
    counts = "found 3; embedded 3 (of which 3 reused), 3 of them without a file; skipped 0"
    assert built.stdout.splitlines()[-1] == counts
    opened = Bundle.open(bundle)
    assert [item.image_path for item in opened.items] == ["a/1.jpg", "b/2.jpg", "d/e/3.jpg"]
    rows = np.load(x)
    for position, row in enumerate((2, 1, 0)):
        unit = rows[row] / np.linalg.norm(rows[row])
        np.testing.assert_allclose(opened.index.reconstruct(position), unit, atol=1e-6)
    assert opened.manifest.image_root is None
    item = opened.items.get([0])[0]
    assert (item.width, item.height) == (None, None)
    assert opened.thumbnails.get(0) is None
    assert item.thumbhash is None


def test_vectors_that_exist_meet_their_images(
    images: Path, bundle: Path, tmp_path: Path, build: Build
) -> None:
    (images / "b/0001.txt").write_text("An owl")
    (images / "broken.jpg").write_text("no image")
    x, paths = save_vectors(tmp_path, ["b\\0001.png", "gone.jpg", "broken.jpg"])
    assert build(embeddings=x, paths=paths).without_file == 2
    opened = Bundle.open(bundle)
    owl, broken, gone = opened.items.get([0, 1, 2])
    assert (owl.image_path, owl.width, owl.alt_text) == ("b/0001.png", 60, "An owl")
    assert opened.thumbnails.get(owl.position) is not None
    assert (broken.width, gone.width) == (None, None)
    assert not build(embeddings=x, paths=paths).changed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--output", "b"], "no images: give --images DIR, or --embeddings"),
        (["--output", "b", "--embeddings", "x.npy", "--paths", "p"], "--embeddings needs --model"),
        (["--output", "b", "--embeddings", "x.npy", "--model", "PACKAGE"], "needs --paths"),
        (["--output", "b", "--images", "i", "--paths", "p.txt"], "--embeddings, which is missing"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tiny_package: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    given = [str(tiny_package) if each == "PACKAGE" else each for each in arguments]
    built = subprocess.run(
        [sys.executable, "-m", "build", "index", *given],
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 1
    assert told in built.stderr
    assert "Traceback" not in built.stderr


def test_info_tells_what_was_built_and_skipped(
    images: Path, bundle: Path, tiny_package: Path, build: Build
) -> None:
    plant_broken(images)
    build()

    def info(folder: Path) -> subprocess.CompletedProcess[str]:
        shown = [sys.executable, "-m", "build", "info", str(folder)]
        return subprocess.run(shown, cwd=ROOT, capture_output=True, text=True)

    told = info(bundle)
    assert told.returncode == 0, told.stderr
    for words in ("tiny", "24", "truncated 3", "deep/half.JPEG", "flat", "items.sqlite"):
        assert words in told.stdout
    package = info(tiny_package)
    assert package.returncode == 0
    assert "32 by 32 pixels" in package.stdout
    (bundle / "index.faiss").write_bytes(b"damaged")
    damaged = info(bundle)
    assert damaged.returncode == 1
    assert "index.faiss is damaged" in damaged.stdout
    nothing = info(images)
    assert nothing.returncode == 1
    assert "neither a bundle nor a model package" in nothing.stderr


def test_ctrl_c_stops_and_the_same_command_goes_on(
    bundle: Path, tiny_package: Path, tmp_path: Path
) -> None:
    plant(tmp_path / "many", 4000)
    arguments = ("--images", tmp_path / "many", "--output", bundle, "--model", tiny_package)
    journal = bundle.with_name(".photos.journal.sqlite-wal")
    stopped = subprocess.Popen(command(*arguments), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while stopped.poll() is None and not (journal.exists() and journal.stat().st_size > 200_000):
        time.sleep(0.01)
    stopped.send_signal(signal.SIGINT)
    _, told = stopped.communicate(timeout=30)
    assert stopped.returncode == 130, told
    assert "goes on from here" in told
    assert "Traceback" not in told
    assert not bundle.exists()
    went_on = run(*arguments)
    assert went_on.returncode == 0, went_on.stderr
    reused = int(went_on.stdout.splitlines()[-1].split("of which ")[1].split()[0])
    assert 0 < reused < 4000


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_in_the_same_bundle(
    tmp_path: Path, tiny_package: Path
) -> None:
    images, undisturbed = tmp_path / "images", tmp_path / "undisturbed" / "photos"
    plant(images, 488)
    plant_broken(images)
    few = tmp_path / "few" / "photos"
    plant(tmp_path / "few images", 20)
    build_index(IndexOptions(output=few, model=tiny_package, images=tmp_path / "few images"))

    def arguments(bundle: Path) -> tuple[str | Path, ...]:
        return ("--images", images, "--output", bundle, "--model", tiny_package)

    started = time.monotonic()
    assert run(*arguments(undisturbed)).returncode == 0
    seconds = time.monotonic() - started
    expected = content(undisturbed)
    assert (expected["images"], len(expected["skipped"])) == (488, 12)

    moments = random.Random(0)
    unfinished = went_on = turn = 0
    # How long a build takes varies with what else the machine does: a kill that comes too late
    # is checked like the others and does not count.
    while unfinished < KILLS:
        turn += 1
        assert turn <= 3 * KILLS, f"only {unfinished} builds were caught at work"
        bundle = tmp_path / f"turn {turn}" / "photos"
        if turn % 2:
            # There is a bundle to be replaced already.
            shutil.copytree(few.parent, bundle.parent)
        with (tmp_path / "log").open("wb") as log:
            killed = subprocess.Popen(
                command(*arguments(bundle)), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
        time.sleep(moments.uniform(0, 1) * seconds)
        killed.kill()
        unfinished += killed.wait() == -signal.SIGKILL
        if (bundle / MANIFEST).exists():
            Bundle.open(bundle)  # the old one or the new one, but a whole one
        restarted = run(*arguments(bundle))
        assert restarted.returncode == 0, restarted.stderr
        counts = restarted.stdout.splitlines()[-1]
        went_on += "of which 0 reused" not in counts and "of which 20 reused" not in counts
        assert content(bundle) == expected, f"turn {turn}: {counts}"
        left = {path.name for path in bundle.parent.iterdir()}
        assert left == {"photos", ".photos.journal.sqlite"}
        shutil.rmtree(bundle.parent)
    assert went_on >= KILLS / 4
