"""The command line in a checkout: `python -m sightline`."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.__main__ import main
from tests.serving.conftest import build_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_bundle(tmp_path_factory.mktemp("tiny"))


def type_in(*words: str) -> list[str]:
    return [sys.executable, "-m", "sightline", *words]


@pytest.mark.parametrize(
    "command", ["", "open", "index", "search", "serve", "page", "evaluate", "duplicates", "bento"]
)
def test_help_imports_nothing_that_takes_long(command: str) -> None:
    words = [*command.split(), "--help"]
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", *type_in(*words)[1:]],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"usage: {' '.join(['sightline', *command.split()])} " in shown.stdout
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"pydantic", "numpy", "onnxruntime", "faiss", "bentoml", "streamlit"}


def test_what_was_indexed_is_searched(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "a fox", "--bundle", str(bundle), "-k", "2", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert len(results) == 2
    assert main(["search", "a fox", "--bundle", str(bundle), "-k", "2"]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in paths] == [Path(each["image_path"]).name for each in results]
    assert all(path.is_absolute() and path.exists() for path in paths)


def test_in_a_terminal_an_image_stands_above_each_path(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.delenv("TMUX", raising=False)
    search = ["search", "a fox", "--bundle", str(bundle), "-k", "2"]
    assert main(search) == 0
    paths = capsys.readouterr().out.splitlines()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(search) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1::2] == paths
    for sent, path in zip(lines[::2], paths, strict=True):
        content = base64.b64decode("".join(re.findall(r"\x1b_G[^;]*;([\w+/=]*)\x1b\\", sent)))
        small = Image.open(io.BytesIO(content)).convert("RGB")
        original = Image.open(path).convert("RGB").resize(small.size)
        assert np.abs(np.asarray(small, float) - np.asarray(original, float)).mean() < 8
    assert main([*search, "--no-previews"]) == 0
    assert capsys.readouterr().out.splitlines() == paths
    assert main([*search, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["results"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", "fox"], "error: no bundle is given"),
        (["search", "", "--bundle", "b"], "error: query: "),
        (["search", "fox", "-k", "0", "--bundle", "b"], "error: k: "),
        (["search", "fox", "--bundle", "nowhere"], "error: nowhere"),
        (["serve"], "error: no bundle is given"),
        (["index", "--output", "b", "--paths", "p"], "error: --paths names"),
    ],
)
def test_an_error_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGHTLINE_BUNDLE", raising=False)
    assert main(words) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(said)
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--port", "--page-port"])
def test_open_names_the_port_that_is_taken(
    option: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["open", str(tmp_path), option, str(port)]) == 1
    assert f"port {port} is in use: choose another, {option} {port + 10}" in capsys.readouterr().err


def test_ctrl_c_is_told_and_has_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("build.bundle_from_images.build_index", interrupted)
    assert main(["index", "--images", str(tmp_path), "--output", str(tmp_path / "b")]) == 130
    assert "stopped; the same command goes on from here" in capsys.readouterr().err


def test_whoever_has_read_enough_is_not_told_of_it(bundle: Path) -> None:
    search = subprocess.Popen(
        type_in("search", "a fox", "--bundle", str(bundle)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert search.stdout is not None
    search.stdout.close()
    search.stdout = None
    _, said = search.communicate(timeout=60)
    assert said == ""
    assert search.returncode == 1
