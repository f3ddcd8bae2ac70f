"""Files of weights: those that training runs leave, and what is no such file."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from build.errors import BuildError
from build.export.weights import loadable

WEIGHTS = {"visual.proj": torch.arange(6.0).reshape(2, 3), "logit_scale": torch.tensor(2.0)}


def read(path: Path) -> dict[str, Any]:
    from open_clip.factory import load_state_dict

    with loadable(path) as form:
        return dict(load_state_dict(str(form)))


def same(found: dict[str, Any]) -> bool:
    return found.keys() == WEIGHTS.keys() and all(
        torch.equal(found[name], value) for name, value in WEIGHTS.items()
    )


@pytest.mark.parametrize("name", ["weights.pt", "epoch_3.PT", "last.ckpt", "weights", "w.bin"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "model."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict"])
def test_a_checkpoint_of_training(
    name: str, prefix: str, wrapper: str | None, tmp_path: Path
) -> None:
    named: dict[str, Any] = {prefix + key: value for key, value in WEIGHTS.items()}
    if wrapper is not None:
        state = {0: {"step": torch.tensor(7)}}
        named = {"epoch": 3, "args": argparse.Namespace(lr=1e-3), wrapper: named, "optim": state}
    torch.save(named, tmp_path / name)
    assert same(read(tmp_path / name))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "weights", "w.SAFETENSORS"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_safetensors_under_any_name(name: str, prefix: str, tmp_path: Path) -> None:
    save_file({prefix + key: value for key, value in WEIGHTS.items()}, tmp_path / name)
    assert same(read(tmp_path / name))


@pytest.mark.parametrize("name", ["weights.pt", "legacy"])
def test_the_format_before_pytorch_1_6(name: str, tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / name, _use_new_zipfile_serialization=False)
    assert same(read(tmp_path / name))


def test_a_plain_file_is_not_copied(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "w.pt")
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    for name in ("w.pt", "w.safetensors"):
        with loadable(tmp_path / name) as form:
            assert form == tmp_path / name


def test_big_visions_file_goes_as_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "siglip.npz", a=np.zeros(3))
    with loadable(tmp_path / "siglip.npz") as form:
        assert form == tmp_path / "siglip.npz"


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this file runs code",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n", "Git LFS"),
        (b"\n<!DOCTYPE html><html><head><title>Sign in</title>", "is a web page"),
        (b"<html>Not found</html>", "is a web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is a web page"),
        (b'{"error": "Repository not found"}', "is JSON"),
        (b"PK\x03\x04 and then nothing", "cut short or damaged"),
        (b"Entry not found", "no file of weights: it begins with b'Entry not found'"),
        (pickle.dumps({"a": _Code()}), "holds Python objects"),
        (pickle.dumps({"a": 1}), "no file of weights|holds"),
    ],
)
def test_what_is_no_file_of_weights(
    content: bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "open_clip_pytorch_model.bin"
    path.write_bytes(content)
    with pytest.raises(BuildError, match=told) as error, loadable(path):
        pass
    assert "weights_only" not in str(error.value)
    assert "\n" not in str(error.value)
    assert "runs code" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"epoch": 3, "loss": 0.1}, "'epoch' is int"),
        ([torch.zeros(2)], "holds no weights by name but list"),
        ({}, "holds no weights by name"),
        ({"state_dict": {"a": _Code()}}, "holds Python objects"),
    ],
)
def test_a_file_without_weights(stored: object, told: str, tmp_path: Path) -> None:
    torch.save(stored, tmp_path / "w.pt")
    with pytest.raises(BuildError, match=told), loadable(tmp_path / "w.pt"):
        pass


def test_a_file_that_is_cut_short(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "w.pt")
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    for name in ("w.pt", "w.safetensors"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(BuildError, match="cut short"), loadable(tmp_path / name):
            pass


def test_openais_own_archive(tmp_path: Path) -> None:
    class Clip(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.proj = torch.nn.Parameter(torch.ones(2, 3).half())
            self.register_buffer("input_resolution", torch.tensor(224))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.proj

    with pytest.warns(FutureWarning, match="torch.jit.script"):
        torch.jit.script(Clip()).save(str(tmp_path / "ViT-B-32.pt"))
    found = read(tmp_path / "ViT-B-32.pt")
    assert list(found) == ["proj"]
