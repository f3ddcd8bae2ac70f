"""Files of weights: what they are, and the form of them that open_clip reads.

Looked at by content, since a download that failed has the right name all the same.
"""

from __future__ import annotations

import argparse
import hashlib
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file

from build.errors import BuildError
from build.export.hub import first_line

# Under which a training run keeps the weights, beside its optimiser's state.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
# What DistributedDataParallel, torch.compile and modules that hold the model put before a name.
_PREFIXES = ("module.", "_orig_mod.", "model.")
_PICKLE = b"\x80"
_LFS = b"version https://git-lfs"


@contextmanager
def loadable(path: Path) -> Iterator[Path]:
    """A file with the weights that ``path`` holds, in a form that open_clip loads.

    That is ``path`` itself where it is one; a temporary file for a checkpoint of a training
    run, a TorchScript archive, or a name without the suffix of what is in it.

    Raises:
        BuildError: the file holds no weights; says what it is instead.
    """
    kind = _kind(path)
    if kind == "npz":
        # Google's big_vision: open_clip goes by the suffix.
        yield path
        return
    stored = _read(path, kind)
    weights = _unwrapped(stored)
    refuse_without_weights(path, weights)
    if weights is stored and path.suffix == ".safetensors" and kind == "safetensors":
        yield path
        return
    if weights is stored and path.suffix != ".safetensors" and kind == "pickle":
        yield path
        return
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "weights.pt"
        torch.save(weights, plain)
        del weights, stored
        yield plain


def refuse_without_weights(path: Path, weights: object) -> None:
    """Refuse what holds no tensor by name.

    Raises:
        BuildError: it does not.
    """
    if not isinstance(weights, dict) or not weights:
        raise BuildError(f"{path} holds no weights by name but {type(weights).__name__}")
    odd = next((name for name, value in weights.items() if not torch.is_tensor(value)), None)
    if odd is not None:
        raise BuildError(
            f"{path} holds no weights by name: {str(odd)[:60]!r} is {type(weights[odd]).__name__}. "
            f"Weights are looked for at the top, and under {', '.join(_WRAPPERS)}."
        )


def sha256(path: Path) -> str:
    """The file's SHA-256 in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _kind(path: Path) -> str:
    """``safetensors``, ``pickle``, ``torchscript`` or ``npz``.

    Raises:
        BuildError: it is something else, and what.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(512)
    except OSError as error:
        raise BuildError(f"{path} cannot be read: {error.strerror}") from None
    if size == 0:
        raise BuildError(f"{path} is empty")
    if start.startswith(_LFS):
        raise BuildError(
            f"{path} is a Git LFS pointer, not the weights themselves: fetch them with "
            "`git lfs pull` in its checkout"
        )
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise BuildError(
            f"{path} is a web page, not weights: the download went to a page about the file "
            "(or to a log-in). Download the file itself again."
        )
    if start[8:9] == b"{":
        return "safetensors"
    if text.startswith((b"{", b"[")):
        raise BuildError(
            f"{path} is JSON, not weights. A folder with open_clip_config.json and weights is "
            "given as --model local-dir:FOLDER."
        )
    if start.startswith(_PICKLE):
        return "pickle"
    if not start.startswith(b"PK"):
        raise BuildError(f"{path} is no file of weights: it begins with {start[:24]!r}")
    try:
        with zipfile.ZipFile(path) as archive:
            inside = archive.namelist()
    except zipfile.BadZipFile:
        raise BuildError(f"{path} is cut short or damaged: download it again") from None
    if any(name.endswith(".npy") for name in inside):
        return "npz"
    return "torchscript" if any("/code/" in name for name in inside) else "pickle"


def _read(path: Path, kind: str) -> Any:
    try:
        if kind == "safetensors":
            return load_file(path)
        if kind == "torchscript":
            # OpenAI's own files. Beside the weights they have three numbers that say what
            # the architecture's name says already.
            with warnings.catch_warnings():
                # Harmless: it says that the format is no longer developed, not that it is
                # misread; OpenAI published in no other.
                warnings.filterwarnings(
                    "ignore", message="`torch.jit.load` is deprecated", category=FutureWarning
                )
                archive = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
            weights = archive.state_dict()
            for number in ("input_resolution", "context_length", "vocab_size"):
                weights.pop(number, None)
            return weights
        # An argparse namespace is what training scripts keep beside the weights, and no more
        # than a bag of values. Anything else that is not data is refused.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            # PyTorch's own message advises to run what the file says.
            raise BuildError(
                f"{path} holds Python objects that are no weights, and reading them would run "
                "code from the file. Save the weights alone, where the file was made: "
                "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
            ) from None
        raise BuildError(
            f"{path} is no file of weights, or is cut short: {first_line(error)}"
        ) from None


def _unwrapped(stored: Any) -> Any:
    """The weights by their own names; ``stored`` itself where they are that already."""
    weights = stored
    for wrapper in _WRAPPERS:
        if isinstance(weights, dict) and isinstance(weights.get(wrapper), dict):
            weights = weights[wrapper]
            break
    while prefix := _common_prefix(weights):
        weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def _common_prefix(weights: Any) -> str | None:
    if not isinstance(weights, dict) or not weights:
        return None
    return next(
        (prefix for prefix in _PREFIXES if all(str(name).startswith(prefix) for name in weights)),
        None,
    )
