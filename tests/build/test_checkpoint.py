"""``load_checkpoint``: every published pair of name and tag, and models from the disk."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import open_clip
import pytest
import torch
from open_clip import factory
from open_clip.pretrained import get_pretrained_cfg, list_pretrained
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import nn

import build.export.checkpoint as checkpoint_module
from build.errors import BuildError
from build.export import Checkpoint, export, load_checkpoint
from build.export.checkpoint import activation_of
from build.export.text_graph import text_graph
from build.export.text_tower import take_apart
from build.export.traced import image_graph
from build.packages import open_package
from models.model_card import ModelCard
from tests.build.test_model import run
from tests.build.tiny_models import write_tiny_model
from tests.service.conftest import serving

ROOT = Path(__file__).resolve().parents[2]
PAIRS = list_pretrained()
# The activation of the name is not the tag's.
MISLED = [
    (model, tag)
    for model, tag in PAIRS
    if bool((open_clip.get_model_config(model) or {}).get("quick_gelu"))
    != bool(get_pretrained_cfg(model, tag).get("quick_gelu"))
]
_TINY_VISION = {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16}
_TINY_TEXT = {"layers": 1, "width": 64, "heads": 2, "vocab_size": 600}


def tiny(config: dict[str, Any], text_model: Path) -> dict[str, Any]:
    """The same settings with a fraction of the layers; what is decided by them stays."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    if isinstance(vision.get("layers"), list):
        vision |= {"layers": [1, 1, 1, 1], "width": 16, "image_size": 32}
    elif "timm_model_name" in vision:
        config["vision_cfg"] = dict(_TINY_VISION)
    else:
        vision |= _TINY_VISION
    if "hf_model_name" in text:
        text |= {"hf_model_name": str(text_model), "hf_proj_type": "linear"}
    else:
        text |= _TINY_TEXT
    if "multimodal_cfg" in config:
        config["multimodal_cfg"] |= {"layers": 1, "width": 64, "heads": 2, "dim_head": 32}
        config["multimodal_cfg"] |= {"vocab_size": 600, "attn_pooler_heads": 2}
    config["embed_dim"] = 64
    return config


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "roberta", "roberta") / "text"


@pytest.fixture
def published(
    text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Checkpoint]:
    """``load_checkpoint`` with tiny architectures, and random weights for the download."""
    real = open_clip.get_model_config

    def get_model_config(model: str) -> dict[str, Any] | None:
        config = real(model)
        return config and tiny(config, text_model)

    def load(model: str, tag: str) -> Checkpoint:
        weights = tmp_path / "weights.pt"
        random = factory.create_model(model, load_weights=False, pretrained_text=False)
        torch.save(random.state_dict(), weights)
        asked = []
        monkeypatch.setattr(
            factory, "download_pretrained", lambda cfg, **_: asked.append(cfg) or str(weights)
        )
        loaded = load_checkpoint(model, tag)
        assert asked == [get_pretrained_cfg(model, tag)]
        [name, *_] = random.state_dict()
        assert torch.equal(loaded.model.state_dict()[name], random.state_dict()[name])
        return loaded

    monkeypatch.setattr(factory, "get_model_config", get_model_config)
    monkeypatch.setattr(open_clip, "get_model_config", get_model_config)
    # Their tokenizers are another matter, and those of some lie on a hub.
    monkeypatch.setattr(open_clip, "get_tokenizer", lambda _: SimpleNamespace(context_length=77))
    monkeypatch.setattr(checkpoint_module, "asks_hub", lambda *_: False)
    return load


def activations(model: nn.Module) -> set[type]:
    return {
        type(block.mlp.gelu)
        for block in model.modules()
        if isinstance(block, ResidualAttentionBlock)
    }


def test_there_are_as_many_pairs_as_release_3_3_has() -> None:
    assert (len(PAIRS), len(MISLED)) == (196, 28)


@pytest.mark.parametrize(("model", "tag"), PAIRS, ids=lambda part: part)
def test_what_is_exported_is_what_the_tag_was_trained_with(
    model: str, tag: str, published: Callable[[str, str], Checkpoint]
) -> None:
    its = get_pretrained_cfg(model, tag)
    quick = bool(its.get("quick_gelu", False))
    loaded = published(model, tag)
    expected = QuickGELU if quick else nn.GELU
    assert activations(loaded.model) <= {expected}
    for setting in ("mean", "std", "interpolation", "resize_mode"):
        assert getattr(loaded.preprocessing, setting) == its[setting]
    tower = take_apart(loaded.model)
    if tower is not None:
        operators = {node.op_type for node in text_graph(tower, {}).graph.node}
        own = {"quick_gelu": "QuickGelu", "gelu": "BiasGelu", "gelu_tanh": "FastGelu"}
        assert operators & set(own.values()) == {own[tower.activation]}
        assert (tower.activation == "quick_gelu") is quick
    if (model, tag) in MISLED and not model.startswith("RN"):
        operators = {node.op_type for node in image_graph(loaded.model, 32, 32).graph.node}
        assert ("Sigmoid" in operators, "Erf" in operators) == (quick, not quick)


def test_a_model_built_with_another_activation_is_refused(
    published: Callable[[str, str], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if open_clip had left out what it is told."""
    real = factory.create_model
    monkeypatch.setattr(
        open_clip,
        "create_model",
        lambda *a, force_quick_gelu=False, **more: real(*a, **more),
    )
    with pytest.raises(
        BuildError, match="trained with QuickGELU, but open_clip built it with gelu"
    ):
        published("ViT-B-32", "openai")


KINDS = ["clip", "siglip", "clipa", "roberta", "xlm-roberta", "mt5", "nllb"]
SETTINGS = {
    "mean": [0.5, 0.4, 0.3],
    "std": [0.3, 0.2, 0.1],
    "interpolation": "bilinear",
    "resize_mode": "squash",
}


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    for kind in KINDS:
        write_tiny_model(folder / kind, kind, preprocessing=SETTINGS)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_exports_and_is_verified(kind: str, tiny_models: Path, tmp_path: Path) -> None:
    card = export(load_checkpoint(f"local-dir:{tiny_models / kind}", None), tmp_path / "p", "fp32")
    assert card == open_package(tmp_path / "p").card
    assert card.name == kind
    assert card.any_length is (kind not in ("siglip", "clipa"))
    assert 0 < card.verification.max_text_difference <= 1e-4
    assert 0 < card.verification.max_image_difference <= 1e-4
    assert (card.preprocessing.mean, card.preprocessing.resize_mode) == ((0.5, 0.4, 0.3), "squash")


@pytest.mark.parametrize("kind", ["roberta", "mt5"])
def test_short_texts_are_not_padded_to_the_context(
    kind: str, tiny_models: Path, tmp_path: Path
) -> None:
    """What Hugging Face's towers mask, they need not be given."""
    loaded = load_checkpoint(str(tiny_models / kind), None)
    export(loaded, tmp_path / "p", "fp32")
    session = ort.InferenceSession(tmp_path / "p" / "text_encoder.onnx")
    ids = loaded.tokenizer(["a red fox", "snow"])
    with torch.no_grad():
        truth = nn.functional.normalize(loaded.model.encode_text(ids), dim=-1)  # type: ignore[operator]
    [found] = session.run(None, {"input_ids": ids[:, :12].numpy()})
    assert np.abs(found - truth.numpy()).max() < 1e-5


def test_a_tower_that_sees_its_padding_is_padded(tiny_models: Path, tmp_path: Path) -> None:
    """A tokenizer that pads with another token than the tower leaves out."""
    folder = shutil.copytree(tiny_models / "roberta", tmp_path / "other")
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"pad_token": "<unk>"}))
    card = export(load_checkpoint(str(folder), None), tmp_path / "p", "fp32")
    assert not card.any_length
    assert card.verification.max_text_difference <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "siglip", "roberta", "mt5"])
def test_a_folder_all_the_way_to_an_answer(kind: str, tiny_models: Path, tmp_path: Path) -> None:
    package, bundle = tmp_path / "package", tmp_path / "bundle"
    said = run("model", "--model", f"local-dir:{tiny_models / kind}", "--output", str(package))
    assert f"settings: those of {tiny_models / kind}" in said
    index = ["index", "--images", "demo/gallery", "--model", str(package), "--output", str(bundle)]
    run(*index, "--sample-size", "20")
    with serving(bundle, tmp_path / "log") as client:
        answer = client.post("/search", json={"query": "a guitar", "k": 3})
        assert len(answer.json()["results"]) == 3
        assert client.get("/info").json()["model"]["name"] == kind


def test_a_repository_of_the_hub(
    tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    def download(repository: str, filename: str | None = None, **_: object) -> str:
        asked.append((repository, filename))
        return str(tiny_models / "clip" / (filename or "open_clip_pytorch_model.bin"))

    monkeypatch.setattr(factory, "download_pretrained_from_hf", download)
    monkeypatch.setattr(checkpoint_module, "asks_hub", lambda *_: False)
    loaded = load_checkpoint("hf-hub:photo-archive/our-clip", None)
    assert ("photo-archive/our-clip", "open_clip_config.json") in asked
    assert loaded.preprocessing.mean == (0.5, 0.4, 0.3)
    card = export(loaded, tmp_path / "p", "fp32")
    assert (card.name, card.pretrained) == (
        "photo-archive/our-clip",
        "open_clip_pytorch_model.bin",
    )
    told = load_checkpoint(str(tiny_models / "clip"), None)
    texts = loaded.tokenizer(["a fox"])
    with torch.no_grad():
        assert torch.equal(loaded.model.encode_text(texts), told.model.encode_text(texts))  # type: ignore[operator]


def test_another_file_of_a_folder(tiny_models: Path, tmp_path: Path) -> None:
    trained = {
        "epoch": 3,
        "state_dict": {
            f"module.{name}": value + 1e-3
            for name, value in torch.load(
                tiny_models / "clip" / "open_clip_pytorch_model.bin", weights_only=True
            ).items()
        },
    }
    torch.save(trained, tmp_path / "epoch_3.ckpt")
    loaded = load_checkpoint(str(tiny_models / "clip"), str(tmp_path / "epoch_3.ckpt"))
    assert loaded.pretrained == "epoch_3.ckpt"
    name = "text_projection"
    assert torch.equal(loaded.model.state_dict()[name], trained["state_dict"][f"module.{name}"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w.pop("text_projection"), r"1 weights are missing, first text_projection$"),
        (lambda w: w.update(more=w["text_projection"]), r"1 weights are too many, first more$"),
        (
            lambda w: w.update(text_projection=torch.zeros(3, 3)),
            r"text_projection is \(3, 3\) instead of \(32, 16\)",
        ),
    ],
)
def test_weights_that_do_not_fit(
    change: Callable[[dict[str, Any]], object], told: str, tiny_models: Path, tmp_path: Path
) -> None:
    weights = torch.load(tiny_models / "clip" / "open_clip_pytorch_model.bin", weights_only=True)
    change(weights)
    torch.save(weights, tmp_path / "w.pt")
    with pytest.raises(BuildError, match=told) as error:
        load_checkpoint(str(tiny_models / "clip"), str(tmp_path / "w.pt"))
    assert "\n" not in str(error.value)


def test_nothing_is_said_of_weights_that_is_not_so(
    tiny_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """open_clip tells of random weights, and of a choice among files; neither is its to make."""
    for kind in ("clip", "roberta"):
        folder = shutil.copytree(tiny_models / kind, tmp_path / kind)
        shutil.copy(folder / "open_clip_pytorch_model.bin", folder / "epoch_3.pth")
        (folder / "open_clip_pytorch_model.bin").rename(folder / "epoch_4.pth")
        load_checkpoint(str(folder), str(folder / "epoch_4.pth"))
    assert caplog.messages == []
    logging.getLogger().warning("anything else")
    assert caplog.messages == ["anything else"]


def test_an_activation_that_is_not_known_is_refused(tiny_models: Path) -> None:
    model: Any = load_checkpoint(str(tiny_models / "clip"), None).model
    model.transformer.resblocks[0].mlp.gelu = nn.ReLU()
    with pytest.raises(BuildError, match="ReLU is not known"):
        activation_of(model)


@pytest.mark.parametrize("model", ["ViT-B-32", "ViT-B-16-SigLIP", "hf-hub:timm/vit_tiny"])
def test_without_a_network_one_line_says_so(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # A port where nobody listens; and a name server that is silent is `hub.py`'s own affair.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(
        BuildError, match=r"needs is not on this machine, and http://127.0.0.1:9 cannot be"
    ):
        load_checkpoint(model, None)
    # Not a measurement: the hub's own library takes most of a minute.
    assert time.monotonic() - started < 20
    assert capfd.readouterr().err == ""


def test_the_card_says_the_activation(tiny_models: Path, tmp_path: Path) -> None:
    export(load_checkpoint(str(tiny_models / "siglip"), None), tmp_path / "p", "fp32")
    assert ModelCard.read(tmp_path / "p").activation == "gelu_tanh"
