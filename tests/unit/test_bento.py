"""The labels of the image; the bento itself is built in tests/service and tests/container."""

from __future__ import annotations

import bentoml
import pytest
import yaml

import build.bento
from build.__main__ import main
from build.bento import StoredBundle, image_labels
from tests.conftest import ROOT


def test_labels_tell_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"rev-parse": "abc123", "config": "https://someone:s3cret@git.example.org/it.git"}
    monkeypatch.setattr(build.bento, "_git", lambda command, *_: answers[command])
    labels = image_labels(StoredBundle(bentoml.Tag("sightline-bundle", "1"), "f00"))
    assert labels["org.opencontainers.image.revision"] == "abc123"
    assert labels["org.opencontainers.image.source"] == "https://git.example.org/it.git"
    assert labels["sightline.bundle.sha256"] == "f00"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_labels_leave_out_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.bento, "_git", lambda *_: "")
    labels = image_labels(None)
    assert "org.opencontainers.image.version" in labels
    assert "org.opencontainers.image.source" not in labels
    assert "sightline.bundle.sha256" not in labels


def test_no_encoder_can_be_left_out_of_no_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bento", "--without-image-encoder"]) == 1
    assert "--without-image-encoder needs --bundle" in capsys.readouterr().err


def test_a_bento_has_every_module_that_serves() -> None:
    """A folder of modules that is named nowhere would be missed only where the bento runs."""
    included = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["include"]
    there = {path for pattern in included for path in ROOT.glob(pattern.lstrip("/"))}
    needed = {path for folder in ("serving", "models") for path in (ROOT / folder).rglob("*.py")}
    assert needed < there
