"""Captions by a model, all the way through the command that a user types."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from models.items import Item, ItemStore
from tests.conftest import ROOT

WORDS = ["a", "picture", "of", "red", "green", "blue", "fox", "tree", "house", "sea"]


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ViT-GPT2 in miniature, with random weights: it speaks, if not sense."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        GPT2Config,
        PreTrainedTokenizerFast,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
    )

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("captioner") / "tiny"
    vocabulary = {word: number for number, word in enumerate(["<end>", *WORDS])}
    bare = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bare, bos_token="<end>", eos_token="<end>", pad_token="<end>"
    )
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    see = ViTConfig(image_size=32, patch_size=8, intermediate_size=64, **size)
    speak = GPT2Config(
        vocab_size=len(vocabulary),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=64,
        add_cross_attention=True,
        is_decoder=True,
        bos_token_id=0,
        eos_token_id=0,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(see, speak)
    config.decoder_start_token_id = 0
    config.pad_token_id = 0
    model = VisionEncoderDecoderModel(config)
    model.generation_config.decoder_start_token_id = 0
    model.generation_config.pad_token_id = 0
    model.generation_config.eos_token_id = None
    model.generation_config.suppress_tokens = [0]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        Image.new("RGB", (60, 40), (25 * number, 100, 255 - 25 * number)).save(
            folder / f"{number}.png"
        )
    (folder / "3.txt").write_text("A caption by a person\n")
    return folder


def index(photos: Path, bundle: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = ["-m", "build", "index", "--images", str(photos), "--output", str(bundle), *more]
    return subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)


def items(bundle: Path) -> list[Item]:
    store = ItemStore.open(bundle / "items.sqlite")
    return store.get(range(len(store)))


@pytest.mark.slow
def test_pictures_without_a_caption_are_described(
    captioner: Path, photos: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    built = index(photos, bundle, "--captioner", str(captioner))
    assert built.returncode == 0, built.stderr
    first = items(bundle)
    assert {item.image_path for item in first if item.alt_text_source == "caption"} == {"3.png"}
    written = [item for item in first if item.alt_text_source == "captioner"]
    assert len(written) == 9
    for item in written:
        assert item.caption is None
        assert {word.lower() for word in item.alt_text.split()} <= set(WORDS)

    # Nothing new: the model is not even loaded, and nothing changes.
    again = index(photos, bundle, "--captioner", str(captioner))
    assert "nothing changed" in again.stdout, again.stderr
    assert items(bundle) == first

    # Without it, the tags are back.
    assert index(photos, bundle).returncode == 0
    assert {item.alt_text_source for item in items(bundle)} == {"caption", "tags"}

    # What was written once is remembered, whatever was built between.
    for name in ("model.safetensors", "config.json"):
        assert (captioner / name).exists()
    assert index(photos, bundle, "--captioner", str(captioner)).returncode == 0
    assert items(bundle) == first


@pytest.mark.slow
def test_what_was_written_before_it_was_stopped_is_kept(
    captioner: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from build import captioner as module
    from build.index import IndexOptions, build_index
    from build.packages import DEMO_MODEL

    options = IndexOptions(
        output=tmp_path / "bundle",
        model=DEMO_MODEL,
        images=photos,
        captioner=str(captioner),
        threads=1,
    )
    monkeypatch.setattr(module, "_BATCH", 4)
    monkeypatch.setattr(module, "_COMMIT_SECONDS", 0.0)
    described: list[int] = []
    describe = module.Captioner.describe

    def stopped(self: module.Captioner, pictures: list[Image.Image]) -> list[str]:
        if described:
            raise KeyboardInterrupt
        described.append(len(pictures))
        return describe(self, pictures)

    monkeypatch.setattr(module.Captioner, "describe", stopped)
    with pytest.raises(KeyboardInterrupt):
        build_index(options)
    assert not (tmp_path / "bundle").exists()

    def counted(self: module.Captioner, pictures: list[Image.Image]) -> list[str]:
        described.append(len(pictures))
        return describe(self, pictures)

    monkeypatch.setattr(module.Captioner, "describe", counted)
    build_index(options)
    assert described == [4, 4, 1]

    fresh = tmp_path / "fresh"
    assert index(photos, fresh, "--captioner", str(captioner)).returncode == 0
    assert items(fresh) == items(tmp_path / "bundle")


@pytest.mark.slow
def test_other_weights_say_it_anew(captioner: Path, photos: Path, tmp_path: Path) -> None:
    import torch
    from transformers import VisionEncoderDecoderModel

    other = tmp_path / "other"
    shutil.copytree(captioner, other)
    model = VisionEncoderDecoderModel.from_pretrained(other)
    torch.manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(other)
    bundle = tmp_path / "bundle"
    assert index(photos, bundle, "--captioner", str(captioner)).returncode == 0
    before = items(bundle)
    assert index(photos, bundle, "--captioner", str(other)).returncode == 0
    assert [item.alt_text for item in items(bundle)] != [item.alt_text for item in before]


@pytest.mark.parametrize(
    ("captioner", "told"),
    [
        ("./nowhere", "there is no folder nowhere"),
        ("demo/gallery", "holds no image-to-text model"),
    ],
)
def test_what_is_no_captioner_is_said(
    captioner: str, told: str, photos: Path, tmp_path: Path
) -> None:
    built = index(photos, tmp_path / "bundle", "--captioner", captioner)
    assert built.returncode == 1
    assert told in built.stderr
    assert "Traceback" not in built.stderr
    assert not (tmp_path / "bundle").exists()
