"""What a checkpoint is taken to be: its tag's, its file's, its folder's; or a question back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
from open_clip import factory
from open_clip.pretrained import get_pretrained_cfg

from build.errors import BuildError
from build.export import published as table
from build.export.sources import Source, asks_hub, find_source


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"looked at later")
    return str(path)


def find(model: str, pretrained: str | None = None, preprocessing_of: str | None = None) -> Source:
    return find_source(model, pretrained, preprocessing_of)


def test_a_tag_brings_its_activation_and_preprocessing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory, "download_pretrained", lambda *_, **__: "weights.pt")
    found = find("ViT-B-32", "openai")
    assert found.quick_gelu is True
    assert found.told[0] == "activation: QuickGELU, the tag's"
    found = find("ViT-H-14-378", "DFN5B")
    assert (found.pretrained, found.preprocessing["resize_mode"]) == ("dfn5b", "squash")
    # A name that stands for QuickGELU, and a tag that does not.
    assert find("roberta-ViT-B-32", "laion2b_s12b_b32k").quick_gelu is False


@pytest.mark.parametrize("model", ["MobileCLIP-S1", "ViT-B-16-SigLIP", "PE-Core-B-16", "ViT-B-32"])
def test_a_file_has_the_preprocessing_that_all_tags_of_its_model_have(
    model: str, file: str
) -> None:
    [tag, *_] = open_clip.list_pretrained_tags_by_model(model)
    found = find(model, file)
    for setting in ("mean", "std", "interpolation", "resize_mode"):
        assert found.preprocessing[setting] == get_pretrained_cfg(model, tag)[setting]
    assert found.told[-1].endswith(f"what all published weights of {model} have")


def test_where_the_tags_do_not_agree_a_file_asks(file: str) -> None:
    with pytest.raises(BuildError) as asked:
        find("ViT-L-14", file)
    assert "--preprocessing-of openai (" in str(asked.value)
    assert "--preprocessing-of laion2b_s32b_b82k (mean (0.5, 0.5, 0.5)" in str(asked.value)
    found = find("ViT-L-14", file, "laion2b_s32b_b82k")
    assert found.preprocessing["mean"] == (0.5, 0.5, 0.5)
    assert found.told[-1].endswith("laion2b_s32b_b82k's, as asked")
    assert find("ViT-H-14", file, "dfn5b").preprocessing["resize_mode"] == "squash"


def test_a_model_without_tags_has_the_default_and_says_so(file: str) -> None:
    found = find("ViT-S-32", file)
    assert found.preprocessing == {}
    assert "open_clip's default, since ViT-S-32 has no published weights" in found.told[-1]


def test_a_published_file_is_known_by_its_checksum(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checksum = hashlib.sha256(Path(file).read_bytes()).hexdigest()

    def published(model: str, tag: str) -> dict[str, Any]:
        found = dict(get_pretrained_cfg(model, tag))
        if tag == "openai":
            found["url"] = f"https://example.org/clip/models/{checksum}/ViT-L-14.pt"
        return found

    monkeypatch.setattr(table, "get_pretrained_cfg", published)
    found = find("ViT-L-14", file)
    assert found.quick_gelu is True
    assert "by its SHA-256" in found.told[0]


def test_the_name_says_the_activation_of_a_file(file: str) -> None:
    assert "--model ViT-B-32-quickgelu" in find("ViT-B-32", file).told[0]
    assert "QuickGELU, by the name" in find("ViT-B-32-quickgelu", file).told[0]


def test_settings_beside_a_file_are_not_passed_over(file: str) -> None:
    config = Path(file).parent / "open_clip_config.json"
    config.write_text(json.dumps({"model_cfg": {"quick_gelu": True}}))
    with pytest.raises(BuildError, match=r"trained with QuickGELU.* --model local-dir:"):
        find("ViT-B-32", file)
    assert find("ViT-B-32-quickgelu", file).model == "ViT-B-32-quickgelu"


@pytest.mark.parametrize(
    ("model", "tag"),
    [
        ("ViT-B-32", "laion2b_s34b_b79k"),
        ("ViT-B-32-256", "datacomp_s34b_b86k"),
        ("ViT-B-32-SigLIP2-256", "webli"),
        ("ViT-L-14", "laion2b_s32b_b82k"),
        ("RN50", "openai"),
        ("coca_ViT-B-32", "laion2b_s13b_b90k"),
    ],
)
def test_the_usual_tag_is_one_that_finds_most(
    model: str, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factory, "download_pretrained", lambda *_, **__: "weights.pt")
    assert find(model).pretrained == tag


@pytest.mark.parametrize(
    ("model", "pretrained", "told"),
    [
        ("ViT-B32", None, "did you mean ViT-B-32 or"),
        ("vit_b_32_siglip2_256", None, "did you mean ViT-B-32-SigLIP2-256"),
        ("Xyz", None, "list_models"),
        ("ViT-B-32", "laion2b", "did you mean laion2b_e16"),
        ("ViT-B-32", "nowhere.pt", "there is no checkpoint file nowhere.pt"),
        ("ViT-B-32", "/nowhere/weights", "there is no checkpoint file"),
        ("ViT-S-32", None, "has no published weights"),
        ("hf-hub:org/name", "openai", "has its own weights"),
        ("hf-hub:name", None, "hf-hub:ORG/NAME"),
        ("local-dir:nowhere", None, "there is no folder nowhere"),
    ],
)
def test_a_mistake_is_said_in_words(model: str, pretrained: str | None, told: str) -> None:
    with pytest.raises(BuildError) as error:
        find(model, pretrained)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_tag_has_its_own_preprocessing() -> None:
    with pytest.raises(BuildError, match="for checkpoint files"):
        find("ViT-L-14", "openai", "laion2b_s32b_b82k")


def test_a_mistyped_tag_of_preprocessing(file: str) -> None:
    with pytest.raises(BuildError, match="did you mean laion2b_s32b_b82k"):
        find("ViT-L-14", file, "laion2b-s32b-b82")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "has no open_clip_config.json"),
        (["open_clip_config.json"], "has no weights"),
        (["open_clip_config.json", "a.pt", "b.ckpt"], "several files of weights.*a.pt, b.ckpt"),
        (["open_clip_config.json", "optimizer.pt", "model.safetensors"], None),
        (["open_clip_config.json", "epoch_3.PT"], None),
    ],
)
def test_a_folder(files: list[str], told: str | None, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).write_text(json.dumps({"model_cfg": {"embed_dim": 8}}))
    if told is not None:
        with pytest.raises(BuildError, match=told):
            find(str(tmp_path))
        return
    found = find(f"local-dir:{tmp_path}")
    assert found.pretrained == files[-1]
    assert found.model == f"local-dir:{tmp_path}"
    assert find(str(tmp_path)) == found
    assert any("open_clip's default" in line for line in found.told)


def test_who_is_asked_for_what(file: str, tmp_path: Path) -> None:
    assert asks_hub("ViT-B-32", None)
    assert asks_hub("ViT-B-32", "openai")
    assert not asks_hub("ViT-B-32", file)
    assert not asks_hub("ViT-B-32", "random")
    # Its tokenizer.
    assert asks_hub("ViT-B-16-SigLIP", "random")
    assert asks_hub("hf-hub:org/name", None)
    assert not asks_hub(str(tmp_path), None)
