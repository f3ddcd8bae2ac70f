"""Bundles of hostile making, all their checksums right."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from models.bundle import Bundle
from models.manifest import MANIFEST, DamagedError
from tests.altered import vouch_anew

SECRET = "a secret that lies beside the bundle"


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "place" / "bundle"
    shutil.copytree(tiny_bundle, copy)
    (copy.parent / "secret.bin").write_bytes(SECRET.encode() * 10_000)
    return copy


@pytest.mark.parametrize("graph", ["text_encoder.onnx", "image_encoder.onnx"])
@pytest.mark.parametrize(
    "where", ["../secret.bin", "{}/secret.bin", "index.faiss", "/proc/self/mem"]
)
def test_a_graph_reads_no_other_file(bundle: Path, graph: str, where: str) -> None:
    model = onnx.load(bundle / graph)
    tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (
        ("location", where.format(bundle.parent)),
        ("offset", "0"),
        ("length", str(size)),
    ):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    (bundle / graph).write_bytes(model.SerializeToString())
    vouch_anew(bundle)
    with pytest.raises(DamagedError, match=f"{graph} cannot be loaded"):
        Bundle.open(bundle)


def _names_another(manifest: dict[str, object]) -> None:
    files = manifest["files"]
    assert isinstance(files, dict)
    files["../secret.bin"] = files["index.faiss"]


def _names_nothing(manifest: dict[str, object]) -> None:
    manifest["files"] = {}


def _has_more_images(manifest: dict[str, object]) -> None:
    manifest["pictures"] = 10**9


def _is_wider(manifest: dict[str, object]) -> None:
    model = manifest["model"]
    assert isinstance(model, dict)
    model["embedding_dim"] = 10**9


def _asks_for_all(manifest: dict[str, object]) -> None:
    manifest["mean"] = [1e308] * 24


@pytest.mark.parametrize(
    "change", [_names_another, _names_nothing, _has_more_images, _is_wider, _asks_for_all]
)
def test_a_manifest_that_lies_is_refused(
    bundle: Path, change: Callable[[dict[str, object]], None]
) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text())
    change(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DamagedError):
        Bundle.open(bundle)


@pytest.mark.parametrize("file", ["items.sqlite", "thumbnails.sqlite"])
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW {table} AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
        "SELECT x AS position, x AS id, x, x, x, x, x, x, x, x FROM n",
        "CREATE TABLE {table} (position INTEGER PRIMARY KEY, webp GENERATED ALWAYS AS "
        "(hex(zeroblob(100000000))), checksum INTEGER)",
        "CREATE VIRTUAL TABLE {table} USING fts5(position, id, checksum)",
        "CREATE TRIGGER more AFTER INSERT ON others BEGIN DELETE FROM others; END",
    ],
)
def test_a_database_computes_nothing(bundle: Path, file: str, statement: str) -> None:
    table = file.removesuffix(".sqlite")
    with closing(sqlite3.connect(bundle / file)) as connection, connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO others")
        connection.execute(statement.format(table=table))
    vouch_anew(bundle)
    with pytest.raises(DamagedError, match=f"{file} cannot be read: .* is no table of rows"):
        Bundle.open(bundle)
