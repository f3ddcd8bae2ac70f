"""A bundle in use is the bundle that was checked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import models.bundle
import models.bundle_files
import models.folder
import models.vector_index
from build.bundle_from_images import build_index
from build.index_options import IndexOptions
from models.bundle import Bundle
from models.checksums import record_file
from models.damage import DamagedError
from models.database import Database
from models.file_names import MANIFEST
from models.image_encoder import ImageEncoder
from models.manifest import Manifest
from models.text_encoder import TextEncoder
from tests.altered import alter_constant, flip_first
from tests.build.images import plant
from tests.tiny_package import SIDE, write_tiny_package

COUNT = 150
NAMES = {
    "tokenizer.json",
    "text_encoder.onnx",
    "image_encoder.onnx",
    "index.faiss",
    "projection.npy",
    "embeddings.npy",
    "embeddings.checksums.npy",
    "tuning.npz",
    "items.sqlite",
    "looks.bin",
    "thumbnails.sqlite",
}
# What a large bundle's start reads; the rest is checked when it is read.
AT_ONCE = {
    "tokenizer.json",
    "text_encoder.onnx",
    "index.faiss",
    "projection.npy",
    "embeddings.checksums.npy",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two bundles of the same images by different models, indexed by codes."""
    folder = tmp_path_factory.mktemp("bundles")
    plant(folder / "images", COUNT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.vector_index, "EXACT_UP_TO", 50)
        patch.setattr("build.assemble.EXACT_UP_TO", 50)
        for seed in (0, 1):
            package = folder / f"package {seed}"
            write_tiny_package(package, seed=seed)
            output = folder / f"bundle {seed}"
            build_index(IndexOptions(output=output, model=package, images=folder / "images"))
    return folder / "bundle 0", folder / "bundle 1"


@pytest.fixture
def bundle(built: tuple[Path, Path], tmp_path: Path) -> Path:
    shutil.copytree(built[0], tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture(params=["small", "medium", "large"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As if every file were small, none of them, or the whole bundle large."""
    if request.param == "medium":
        monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", 0)
    if request.param == "large":
        make_large(monkeypatch)
    return str(request.param)


def make_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", 0)
    monkeypatch.setattr(models.bundle, "WHOLE_BELOW", 0)


def overwrite(path: Path, content: bytes) -> None:
    """Write into the file that is there, as cp does, and not in its place."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


def flip(path: Path, at: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1
    overwrite(path, bytes(content))


def pixels() -> NDArray[np.float32]:
    return np.random.default_rng(5).standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)


def everything(opened: Bundle) -> tuple[object, ...]:
    """All that a bundle answers with."""
    vectors = opened.text_encoder.encode(opened.tokenizer.encode(["a red fox", "the sea"]))
    similarities, positions = opened.index.search(vectors, 7)
    among = opened.index.search(vectors, 3, opened.items.matching({}).positions[::2])
    return (
        vectors.tolist(),
        similarities.tolist(),
        positions.tolist(),
        [each.tolist() for each in among],
        opened.index.mean().tolist(),
        opened.index.reconstruct(3).tolist(),
        list(opened.items),
        [opened.thumbnails.get(position) for position in range(len(opened.items))],
        None if opened.looks is None else opened.looks.get(np.arange(len(opened.items))).tolist(),
        opened.image_encoder.encode(pixels()).tolist(),
    )


def test_a_bundle_holds_what_it_says(bundle: Path, size: str) -> None:
    assert {path.name for path in bundle.iterdir()} == NAMES | {MANIFEST}
    opened = Bundle.open(bundle)
    assert set(opened.manifest.files) == NAMES
    assert len(opened.items) == len(opened.index) == COUNT
    rows = np.load(bundle / "embeddings.npy")
    np.testing.assert_allclose(opened.index.mean(), rows.mean(axis=0), atol=1e-6)
    _, positions = opened.index.search(rows, 1)
    assert (positions[:, 0] == np.arange(COUNT)).mean() > 0.95
    list(opened.scrub())
    opened.close()


def replaced_by_a_build(bundle: Path, other: Path) -> None:
    bundle.rename(bundle.with_name("old"))
    shutil.copytree(other, bundle)
    shutil.rmtree(bundle.with_name("old"))


def copied_over(bundle: Path, other: Path) -> None:
    for path in other.iterdir():
        overwrite(bundle / path.name, path.read_bytes())


def emptied(bundle: Path, other: Path) -> None:
    for path in bundle.iterdir():
        overwrite(path, b"")


@pytest.mark.parametrize("change", [replaced_by_a_build, copied_over, emptied, None])
def test_what_becomes_of_the_folder_changes_nothing(
    built: tuple[Path, Path], bundle: Path, change: Callable[[Path, Path], None] | None
) -> None:
    before = everything(Bundle.open(built[0]))
    assert everything(Bundle.open(built[1])) != before
    opened = Bundle.open(bundle)
    if change is None:
        shutil.rmtree(bundle)
    else:
        change(bundle, built[1])
    assert everything(opened) == before
    assert list(opened.scrub()) == []


def test_nor_does_it_where_files_are_too_large_for_memory(
    built: tuple[Path, Path], bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(monkeypatch)
    opened = Bundle.open(bundle)
    replaced_by_a_build(bundle, built[1])
    assert everything(opened) == everything(Bundle.open(built[0]))
    assert list(opened.scrub())


@pytest.mark.parametrize("whole", [True, False])
def test_a_large_file_that_is_overwritten_is_noticed_rather_than_mixed_in(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    if whole:
        monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", 0)
    else:
        make_large(monkeypatch)
    opened = Bundle.open(bundle)
    for name in ("image_encoder.onnx", "thumbnails.sqlite"):
        overwrite(bundle / name, bytes((bundle / name).stat().st_size))
    assert opened.image_encoder is not None
    with pytest.raises(DamagedError, match=r"image_encoder\.onnx is damaged"):
        opened.image_encoder.encode(pixels())
    with pytest.raises(DamagedError, match=r"thumbnails\.sqlite cannot be read"):
        opened.thumbnails.get(0)
    if not whole:
        flip(bundle / "embeddings.npy", at=-1)
        with pytest.raises(DamagedError, match=rf"the vector at {COUNT - 1}"):
            opened.index.reconstruct(COUNT - 1)
        with pytest.raises(DamagedError, match="is damaged"):
            list(opened.scrub())


@pytest.mark.parametrize("at", range(4))
def test_a_folder_that_is_replaced_while_it_is_opened_is_opened_whole(
    built: tuple[Path, Path], bundle: Path, monkeypatch: pytest.MonkeyPatch, size: str, at: int
) -> None:
    """Replaced at each of the steps at which files are opened: it is one bundle or the other."""
    steps = iter(range(1000))

    def replacing(action: Callable[..., object]) -> Callable[..., object]:
        def act(*arguments: object, **options: object) -> object:
            if next(steps) == at:
                replaced_by_a_build(bundle, built[1])
            return action(*arguments, **options)

        return act

    with monkeypatch.context() as patch:
        patch.setattr(models.folder.Folder, "document", replacing(models.folder.Folder.document))
        patch.setattr(models.folder.Folder, "open", replacing(models.folder.Folder.open))
        patch.setattr(models.bundle, "Database", replacing(Database))
        opened = Bundle.open(bundle)
    assert next(steps) > at
    assert everything(opened) in [everything(Bundle.open(folder)) for folder in built]


def test_all_is_read_from_the_folder_that_was_there_first(
    built: tuple[Path, Path], bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = models.folder.Folder.document

    def moved_away(self: models.folder.Folder, name: str) -> bytes:
        content = document(self, name)
        bundle.rename(bundle.with_name("moved"))
        shutil.copytree(built[1], bundle)
        return content

    with monkeypatch.context() as patch:
        patch.setattr(models.folder.Folder, "document", moved_away)
        opened = Bundle.open(bundle)
    assert everything(opened) == everything(Bundle.open(built[0]))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_file_that_is_missing_or_cut_short_or_no_file_is_found_at_once(
    bundle: Path, name: str, size: str
) -> None:
    content = (bundle / name).read_bytes()
    for harm, told in (
        (lambda path: overwrite(path, content[:-1]), "is damaged"),
        (Path.unlink, "does not exist"),
        (Path.mkdir, "is no file"),
    ):
        harm(bundle / name)
        with pytest.raises(DamagedError, match=rf"{name} {told}"):
            Bundle.open(bundle)
    (bundle / name).rmdir()
    os.mkfifo(bundle / name)
    with pytest.raises(DamagedError, match=rf"{name} is no file"):
        Bundle.open(bundle)
    (bundle / name).unlink()
    (bundle.parent / name).write_bytes(content)
    (bundle / name).symlink_to(bundle.parent / name)
    with pytest.raises(DamagedError, match=rf"{name} is a link"):
        Bundle.open(bundle)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_flipped_byte_is_found_before_anything_is_answered_or_by_the_scrubber(
    bundle: Path, name: str, size: str
) -> None:
    flip(bundle / name)
    if size != "large" or name in AT_ONCE:
        with pytest.raises(DamagedError, match=rf"{name} is damaged: its SHA-256"):
            Bundle.open(bundle)
    else:
        opened = Bundle.open(bundle)
        with pytest.raises(DamagedError, match=rf"{name} is damaged: its SHA-256"):
            list(opened.scrub())


def noting(read: list[str], action: Callable[..., object]) -> Callable[..., object]:
    def act(self: object, name: str) -> object:
        read.append(name)
        return action(self, name)

    return act


def test_a_large_bundles_start_reads_no_more_than_it_needs(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(monkeypatch)
    read: list[str] = []
    chunks, stream = models.folder.Folder.chunks, models.folder.Folder.stream
    for name, action in (("chunks", chunks), ("stream", stream)):
        monkeypatch.setattr(models.folder.Folder, name, noting(read, action))
    opened = Bundle.open(bundle)
    assert sorted(read) == sorted(AT_ONCE)
    *_, last = opened.scrub()
    # Nothing is hashed twice, and nothing is left out.
    assert sorted(read) == sorted(NAMES)
    assert (
        last.done == last.total == sum((bundle / name).stat().st_size for name in NAMES - AT_ONCE)
    )
    assert list(opened.scrub()) == []


def test_vectors_that_the_scrubber_has_hashed_are_not_checked_again(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(monkeypatch)
    opened = Bundle.open(bundle)
    list(opened.scrub())
    monkeypatch.setattr("models.embeddings.checksums_of", None)
    opened.index.reconstruct(3)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_file_is_opened_that_the_manifest_does_not_name(bundle: Path, name: str) -> None:
    manifest = Manifest.read(bundle)
    files = {each: record for each, record in manifest.files.items() if each != name}
    manifest.model_copy(update={"files": files}).write(bundle)
    # A service may be deployed without the first; an earlier release has built none of the others.
    if name in ("image_encoder.onnx", "looks.bin", "tuning.npz"):
        assert len(Bundle.open(bundle).items) == COUNT
        return
    with pytest.raises(DamagedError, match=rf"manifest\.json does not name {name}"):
        Bundle.open(bundle)


@pytest.mark.parametrize("name", ["../secret", "/etc/hosts", "a/b", "..", ".", "", "a\\b"])
def test_a_manifest_names_files_of_its_own_folder_only(bundle: Path, name: str) -> None:
    manifest = Manifest.read(bundle)
    (bundle.parent / "secret").write_text("secret")
    files = manifest.files | {name: record_file(bundle.parent / "secret")}
    manifest.model_copy(update={"files": files}).write(bundle)
    with pytest.raises(DamagedError, match="no file of the bundle's own"):
        Bundle.open(bundle)


def test_a_bundle_of_an_older_format_is_to_be_built_again(bundle: Path) -> None:
    Manifest.read(bundle).model_copy(update={"format": "sightline-bundle/1"}).write(bundle)
    with pytest.raises(DamagedError, match=r"'sightline-bundle/1'.*Build it again\.$") as error:
        Bundle.open(bundle)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"images": COUNT + 1},
        {"mean": [0.0] * 3},
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    bundle: Path, change: dict[str, object]
) -> None:
    Manifest.read(bundle).model_copy(update=change).write(bundle)
    with pytest.raises(DamagedError, match=r"Build it again"):
        Bundle.open(bundle)


@pytest.mark.parametrize("name", ["items.sqlite", "index.faiss"])
def test_files_of_another_bundle_do_not_fit(
    bundle: Path, name: str, tmp_path: Path, tiny_package: Path
) -> None:
    plant(tmp_path / "fewer", 20)
    fewer = tmp_path / "of fewer"
    build_index(IndexOptions(output=fewer, model=tiny_package, images=tmp_path / "fewer"))
    other = Manifest.read(fewer)
    manifest = Manifest.read(bundle)
    shutil.copyfile(fewer / name, bundle / name)
    files = manifest.files | {name: other.files[name]}
    update = {"files": files}
    if name == "index.faiss":
        update |= {"index": other.index}
    manifest.model_copy(update=update).write(bundle)
    with pytest.raises(DamagedError, match=r"does not fit together: .*(20|150).*(150|20)"):
        Bundle.open(bundle)


def test_a_bundle_that_was_checked_before_is_not_hashed_again(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = everything(Bundle.open(bundle))
    monkeypatch.setattr("models.folder.compare", None)
    monkeypatch.setattr("models.folder.hashlib", None)
    monkeypatch.setattr(models.folder.Folder, "open", _open_without_sizes)
    opened = Bundle.open(bundle, verify=False)
    assert everything(opened) == expected
    assert list(opened.scrub()) == []


def _open_without_sizes(self: models.folder.Folder, files: dict[str, object]) -> None:
    for name in files:
        self._descriptors[name] = self._open(name)
        self._records[name] = files[name]


def test_of_a_large_one_that_was_checked_before_the_rest_is_checked_nevertheless(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has just opened it has not read the rest either."""
    make_large(monkeypatch)
    loaded: list[object] = []
    monkeypatch.setattr(models.bundle_files, "compare_image", lambda *_: loaded.append(_))
    for name, told in (("embeddings.npy", "is damaged"), ("items.sqlite", "is damaged")):
        flip(bundle / name, at=-1)
        with pytest.raises(DamagedError, match=rf"{name} {told}"):
            list(Bundle.open(bundle, verify=False).scrub())
        flip(bundle / name, at=-1)
    list(Bundle.open(bundle, verify=False).scrub())
    # The image encoder is the exception, since so many workers would load it at once.
    assert not loaded


@pytest.fixture
def computes_otherwise(bundle: Path) -> Path:
    """A bundle whose image encoder is the one that was written, but not the makers'."""
    alter_constant(bundle, "image_encoder.onnx", "bias", flip_first)
    return bundle


def test_what_a_small_bundles_image_encoder_computes_is_compared_at_once(
    computes_otherwise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in (models.folder.IN_MEMORY_UP_TO, 0):
        monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", limit)
        with pytest.raises(DamagedError, match="the golden image gets another embedding"):
            Bundle.open(computes_otherwise)


def test_what_a_large_bundles_image_encoder_computes_is_compared_when_it_is_first_used(
    computes_otherwise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(monkeypatch)
    opened = Bundle.open(computes_otherwise)
    assert opened.image_encoder is not None
    for use in (lambda: opened.image_encoder.encode(pixels()), lambda: list(opened.scrub())):
        with pytest.raises(DamagedError, match="the golden image gets another embedding"):
            use()


def test_it_is_opened_with_as_many_threads_as_it_may_use(bundle: Path) -> None:
    for threads in (1, 3):
        opened = Bundle.open(bundle, threads=threads)
        assert opened.threads == threads
        assert opened.text_encoder._threads == threads
        assert opened.image_encoder is not None
        options = opened.image_encoder.load()._session.get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)
    assert Bundle.open(bundle).threads == 1


def test_once_closed_it_holds_no_file(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", 0)
    own = Path("/proc/self/fd")
    if not own.is_dir():
        pytest.skip("platform: the system does not show what a process holds open")

    def held() -> list[Path]:
        paths = [each.readlink() for each in own.iterdir() if each.exists()]
        return [path for path in paths if path.is_relative_to(bundle)]

    opened = Bundle.open(bundle)
    assert {path.name for path in held()} >= NAMES
    opened.close()
    # The mapped vectors last as long as somebody has them.
    assert {path.name for path in held()} <= {"embeddings.npy", "looks.bin"}


@pytest.mark.parametrize(("times", "opens"), [(2, True), (3, False)])
def test_one_that_is_replaced_again_and_again_is_given_up(
    built: tuple[Path, Path],
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    opens: bool,
) -> None:
    tries: list[int] = []
    parse = Manifest.parse

    def replaced(written: bytes, path: Path) -> Manifest:
        tries.append(1)
        if len(tries) > times:
            return parse(written, path)
        shutil.rmtree(bundle)
        shutil.copytree(built[1], bundle)
        raise DamagedError("half of one and half of the other")

    monkeypatch.setattr(Manifest, "parse", replaced)
    if opens:
        assert len(Bundle.open(bundle).items) == COUNT
    else:
        with pytest.raises(DamagedError, match="half of one"):
            Bundle.open(bundle)
    assert len(tries) == 3


def test_one_that_is_damaged_where_it_lies_is_read_once(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def damaged(written: bytes, path: Path) -> Manifest:
        tries.append(1)
        raise DamagedError("damaged")

    monkeypatch.setattr(Manifest, "parse", damaged)
    with pytest.raises(DamagedError, match="damaged"):
        Bundle.open(bundle)
    assert tries == [1]


def test_what_does_not_fit_is_told_in_words(bundle: Path) -> None:
    manifest = Manifest.read(bundle)

    def said(**changed: object) -> str:
        manifest.model_copy(update=changed).write(bundle)
        with pytest.raises(DamagedError) as refused:
            Bundle.open(bundle)
        return str(refused.value)

    assert said(images=COUNT + 1) == (
        f"{bundle} does not fit together: the numbers of images differ (manifest.json: "
        f"{COUNT + 1}, index.faiss: {COUNT}, items.sqlite: {COUNT}, looks.bin: {COUNT}). "
        "Build it again."
    )
    assert said(mean=[0.0] * 3).startswith(f"{bundle / 'index.faiss'} holds vectors 24 wide, but ")
    files = {name: record for name, record in manifest.files.items() if name != "items.sqlite"}
    assert said(files=files) == (
        f"{bundle / 'manifest.json'} does not name items.sqlite. Build it again."
    )


@pytest.mark.parametrize(("limit", "hashed"), [(0, False), (1 << 60, True)])
def test_a_bundle_below_a_size_is_hashed_whole(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, limit: int, hashed: bool
) -> None:
    monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", 0)
    size = sum((bundle / name).stat().st_size for name in NAMES)
    for whole_below, whole in [(limit, hashed), (size, False), (size + 1, True)]:
        monkeypatch.setattr(models.bundle, "WHOLE_BELOW", whole_below)
        opened = Bundle.open(bundle)
        assert {name for name in NAMES if opened._files.checked(name)} == (
            NAMES if whole else AT_ONCE
        )
        # Whoever has hashed all vectors need not check each.
        assert opened.index.embeddings._first.unchecked.any() != whole


def test_an_image_encoder_that_computes_otherwise_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = ImageEncoder.encode

    def otherwise(self: ImageEncoder, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return -encode(self, pixels)

    monkeypatch.setattr(ImageEncoder, "encode", otherwise)
    with pytest.raises(DamagedError, match="the golden image gets another embedding here"):
        Bundle.open(bundle)


def test_a_text_encoder_that_computes_otherwise_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = TextEncoder.encode

    def otherwise(self: TextEncoder, token_ids: list[list[int]]) -> NDArray[np.float32]:
        return -encode(self, token_ids)

    monkeypatch.setattr(TextEncoder, "encode", otherwise)
    with pytest.raises(DamagedError, match=r"the text .* gets another embedding here"):
        Bundle.open(bundle)


def test_vectors_are_trusted_once_they_were_hashed_and_not_before(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(monkeypatch)
    manifest = Manifest.read(bundle)
    last = sorted(manifest.files.items(), key=lambda each: each[0] == "embeddings.npy")
    manifest.model_copy(update={"files": dict(last)}).write(bundle)
    opened = Bundle.open(bundle)
    scrubbed = 0
    for _ in opened.scrub():
        scrubbed += 1
        assert opened.index.embeddings._first.unchecked.all()
    assert scrubbed >= 3
    assert not opened.index.embeddings._first.unchecked.any()
