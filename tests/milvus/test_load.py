"""A bundle is loaded into Milvus: again, halfway, and after it has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from build.__main__ import main
from build.bundle_from_images import IndexOptions, build_index
from build.errors import BuildError
from build.load import load, write_front
from models.bundle import Bundle
from models.milvus.collection import MilvusCollection
from models.milvus.writer import Writer
from serving.settings import Settings
from tests.build.images import image_bytes
from tests.milvus.collections import Place, wait_for
from tests.tiny_package import write_tiny_package

COUNT = 6


def build(folder: Path, names: range, seed: int = 0) -> Bundle:
    package, images = folder / f"package-{seed}", folder / "images"
    if not package.exists():
        write_tiny_package(package, seed=seed, pretrained="random")
    images.mkdir(exist_ok=True)
    for old in images.iterdir():
        old.unlink()
    for number in names:
        (images / f"{number}.png").write_bytes(image_bytes(number))
    bundle = folder / f"bundle-{names.start}-{seed}"
    build_index(IndexOptions(output=bundle, model=package, images=images, threads=1))
    return Bundle.open(bundle)


def test_a_load_is_done_again_and_goes_on(
    tmp_path: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = build(tmp_path, range(COUNT))
    address = place("again")
    # What a load that was stopped had written.
    writer = Writer(address, None, bundle.manifest.model, "flat")
    writer.add(bundle.items.get([0, 1]), bundle.index.embeddings.rows(np.array([0, 1])))
    writer.close()
    for _ in range(2):
        to = f"milvus+{address}" if not address.is_file else f"milvus+file://{address}"
        front = tmp_path / "front"
        assert main(["load", str(bundle.folder), "--to", to, "--service", str(front)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [
        f"{address} has 6 images: 4 written, 2 there already, 0 removed",
        f"{address} has 6 images: 0 written, 6 there already, 0 removed",
    ]
    wait_for(address, bundle, COUNT)
    front_bundle = Bundle.open(front, elsewhere=lambda own: MilvusCollection(address, own))
    assert front_bundle.collection.count() == COUNT
    assert front_bundle.thumbnail(bundle.items.get([0])[0]) is None
    # Two images came and two went: those between have other positions now.
    later = build(tmp_path, range(2, COUNT + 2))
    loaded = load(later, address, None, None)
    assert (loaded.written, loaded.removed) == (COUNT, 2)
    wait_for(address, later, COUNT)
    collection = MilvusCollection(address, later.manifest)
    assert collection.get(range(COUNT)) == list(later.items)
    assert (collection.vectors([5, 0]) == later.index.embeddings.rows(np.array([5, 0]))).all()
    gone = bundle.items.get([0])[0]
    assert collection.find(gone.id) is None
    collection.close()


def test_another_models_embeddings_are_refused(tmp_path: Path, server: object) -> None:
    from tests.milvus.collections import Server

    assert isinstance(server, Server)
    address = server.address("models")
    bundle = build(tmp_path, range(2))
    load(bundle, address, None, None)
    with pytest.raises(BuildError, match="another model"):
        load(_with_another_name(bundle), address, None, None)


def _with_another_name(bundle: Bundle) -> Bundle:
    from dataclasses import replace

    model = bundle.manifest.model.model_copy(update={"name": "another"})
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"model": model}))


def test_a_whole_bundle_is_not_replaced(tmp_path: Path) -> None:
    bundle = build(tmp_path, range(2))
    with pytest.raises(BuildError, match="whole bundle"):
        write_front(bundle, bundle.folder)


def test_who_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = build(tmp_path, range(2))
    to = "milvus+http://127.0.0.1:9/photos"
    assert main(["load", str(bundle.folder), "--to", to]) == 1
    assert "127.0.0.1:9/photos refuses" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["load", str(bundle.folder), "--to", "http://127.0.0.1/photos"])
    assert "milvus+http://HOST:19530/NAME" in capsys.readouterr().err


def test_the_settings_lead_there(tmp_path: Path, place: Place) -> None:
    from serving.bundle_opening import open_bundle

    bundle = build(tmp_path, range(2))
    address = place("settings")
    load(bundle, address, None, None)
    to = f"milvus+{address}" if not address.is_file else f"milvus+file://{address}"
    opened = open_bundle(Settings(bundle=str(bundle.folder), collection=to), fresh=True)
    wait_for(address, bundle, 2)
    assert isinstance(opened.collection, MilvusCollection)
    assert opened.collection.count() == 2
    opened.close()
