"""Packages and bundles altered on purpose, all their checksums made right again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from models.manifest import MANIFEST, TOKENIZER, Manifest, ModelCard, record_files


def alter_constant(
    folder: Path, graph: str, name: str, change: Callable[[NDArray[Any]], None]
) -> None:
    """Change a constant of a graph in place, and vouch for the file anew."""
    model = onnx.load(folder / graph)
    [tensor] = [each for each in model.graph.initializer if each.name == name]
    array = numpy_helper.to_array(tensor).copy()
    change(array)
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    onnx.save(model, folder / graph)
    vouch_anew(folder)


def alter_attribute(folder: Path, graph: str, name: str, value: float) -> None:
    """Give an attribute of all nodes that have it another value, and vouch for the file anew."""
    model = onnx.load(folder / graph)
    found = [each for node in model.graph.node for each in node.attribute if each.name == name]
    assert found
    for each in found:
        each.f = value
    onnx.save(model, folder / graph)
    vouch_anew(folder)


def alter_tokenizer(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what ``tokenizer.json`` says in place, and vouch for the file anew."""
    path = folder / TOKENIZER
    settings = json.loads(path.read_text(encoding="utf-8"))
    change(settings)
    path.write_text(json.dumps(settings), encoding="utf-8")
    vouch_anew(folder)


def vouch_anew(folder: Path, card: Mapping[str, Any] | None = None) -> None:
    """Record the files of a package or a bundle as they are now.

    Args:
        folder: the package or bundle.
        card: fields of the model card to be replaced.
    """
    if not (folder / MANIFEST).exists():
        model = ModelCard.read(folder)
        files = record_files(folder, model.files)
        model.model_copy(update={"files": files, **(card or {})}).write(folder)
        return
    manifest = Manifest.read(folder)
    files = record_files(folder, manifest.files)
    model = manifest.model.model_copy(update=card or {})
    manifest.model_copy(update={"files": files, "model": model}).write(folder)


def flip_first(array: NDArray[Any]) -> None:
    """Give the first number of an array the other sign."""
    array.flat[0] = -array.flat[0]


def constant_answer(folder: Path, graph: str, value: float) -> None:
    """Let a graph give the same embedding whatever it is asked: all numbers the same."""
    model = onnx.load(folder / graph)
    dim = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    last = model.graph.node[-1]
    answer = numpy_helper.from_array(np.full((1, dim), value, dtype=np.float32), "answer")
    zero = numpy_helper.from_array(np.float32(0), "nothing")
    model.graph.initializer.extend([answer, zero])
    output = last.output[0]
    last.output[0] = "true_answer"
    model.graph.node.extend(
        [
            onnx.helper.make_node("Mul", ["true_answer", "nothing"], ["silence"]),
            onnx.helper.make_node("Add", ["silence", "answer"], [output]),
        ]
    )
    onnx.save(model, folder / graph)
    vouch_anew(folder)
