"""Captions by a model, all the way through the command that a user types."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from build import captioner as module
from build.__main__ import main
from build.captioner import Captioner
from models.bundle import Bundle
from models.images import read_content
from models.items import Item
from models.manifest import Manifest
from tests.conftest import ROOT
from tests.tools import require_module

WORDS = ["a", "image", "of", "red", "green", "blue", "fox", "tree", "house", "sea"]


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ViT-GPT2 in miniature, with random weights: it speaks, if not sense."""
    require_module("transformers", "captions are written by a model of transformers")
    from transformers import (
        GPT2Config,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
    )

    folder = tmp_path_factory.mktemp("captioner") / "tiny"
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    see = ViTConfig(image_size=32, patch_size=8, intermediate_size=64, **size)
    speak = GPT2Config(
        vocab_size=len(WORDS) + 1,
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=64,
        add_cross_attention=True,
        is_decoder=True,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=False,  # else each word is likeliest to be followed by itself
    )
    model = VisionEncoderDecoderModel(
        VisionEncoderDecoderConfig.from_encoder_decoder_configs(see, speak)
    )
    model.generation_config.decoder_start_token_id = 0
    model.generation_config.pad_token_id = 0
    model.generation_config.eos_token_id = None
    model.generation_config.suppress_tokens = [0]
    write_weights(model, folder, seed=0)
    write_tokenizer(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def write_weights(model: object, folder: Path, *, seed: int) -> None:
    """Large ones, so that what is said depends on the image; norms stay as they are."""
    import torch

    torch.manual_seed(seed)
    for parameter in model.parameters():  # type: ignore[attr-defined]
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(folder)  # type: ignore[attr-defined]


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<end>", *WORDS])}
    bare = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=bare, bos_token="<end>", eos_token="<end>", pad_token="<end>"
    ).save_pretrained(folder)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve images: the fourth has a caption, the last two are one twice."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(12):
        shade = min(number, 10)
        image = Image.effect_noise((60, 40), 25 * shade).convert("RGB")
        image.paste((25 * shade, 100, 255 - 25 * shade), (0, 0, 30, 40))
        image.save(folder / f"{number:02}.png")
    shutil.copy(folder / "10.png", folder / "11.png")
    (folder / "03.txt").write_text("A caption by a person\n")
    return folder


@pytest.fixture
def command(photos: Path, tmp_path: Path, tiny_package: Path) -> list[str]:
    """What a user types, but for the captioner."""
    where = ["--images", str(photos), "--output", str(tmp_path / "bundle")]
    return ["index", *where, "--model", str(tiny_package)]


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each batch had that the model was asked about."""
    batches: list[int] = []
    describe = Captioner.describe

    def counted(self: Captioner, images: Sequence[Image.Image]) -> list[str]:
        batches.append(len(images))
        return describe(self, images)

    monkeypatch.setattr(Captioner, "describe", counted)
    return batches


def items(bundle: Path) -> list[Item]:
    return list(Bundle.open(bundle).items)


def alt_texts(bundle: Path) -> dict[str, str]:
    return {item.image_path: item.alt_text for item in items(bundle)}


@pytest.mark.slow
def test_only_images_without_a_caption_and_only_new_ones_are_described(
    captioner: Path,
    photos: Path,
    tmp_path: Path,
    command: list[str],
    described: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = tmp_path / "bundle"
    asked = [*command, "--captioner", str(captioner)]
    assert main(asked) == 0
    first = items(bundle)
    assert {item.image_path for item in first if item.sources["alt_text"] == "sidecar"} == {
        "03.png"
    }
    written = [item for item in first if item.sources["alt_text"] == "captioner"]
    assert len(written) == 11
    for item in written:
        assert item.caption is None
        assert {word.lower() for word in item.alt_text.split()} <= set(WORDS)
    assert len({item.alt_text for item in written}) == 10
    assert sum(described) == 10, "the image that is there twice is described once"
    facts = Manifest.read(bundle).captioner
    assert facts is not None
    assert facts.name == "tiny"

    described.clear()
    assert main(asked) == 0
    assert "nothing changed" in capsys.readouterr().out
    (captioner / "README.md").write_text("says nothing to a program")
    assert main(asked) == 0
    assert described == []

    Image.new("RGB", (50, 50), "red").save(photos / "05.png")
    Image.new("RGB", (50, 50), "navy").save(photos / "new.png")
    assert main(asked) == 0
    assert described == [2]

    # Without it, the tags; what was written is remembered.
    assert main(command) == 0
    assert {item.sources["alt_text"] for item in items(bundle)} == {"sidecar", "tags"}
    assert Manifest.read(bundle).captioner is None
    assert main(asked) == 0
    assert described == [2]


@pytest.mark.slow
def test_other_weights_describe_all_anew(
    captioner: Path, tmp_path: Path, command: list[str], described: list[int]
) -> None:
    from transformers import VisionEncoderDecoderModel

    other = tmp_path / "tiny"
    shutil.copytree(captioner, other)
    bundle = tmp_path / "bundle"
    assert main([*command, "--captioner", str(other)]) == 0
    before, facts = alt_texts(bundle), Manifest.read(bundle).captioner
    write_weights(VisionEncoderDecoderModel.from_pretrained(other), other, seed=1)
    described.clear()
    assert main([*command, "--captioner", str(other)]) == 0
    assert sum(described) == 10
    assert alt_texts(bundle) != before
    assert alt_texts(bundle)["03.png"] == before["03.png"]
    assert Manifest.read(bundle).captioner != facts


_SLOWLY = """
import sys, time
from build import captioner
from build.__main__ import main
describe = captioner.Captioner.describe
def slowly(self, images):
    if slowly.called:
        print("stopped here", flush=True)
        time.sleep(600)
    slowly.called = True
    return describe(self, images)
slowly.called = False
captioner.Captioner.describe = slowly
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_killed_build_goes_on(
    captioner: Path, tmp_path: Path, command: list[str], described: list[int]
) -> None:
    bundle = tmp_path / "bundle"
    asked = [*command, "--captioner", str(captioner)]
    with subprocess.Popen(
        [sys.executable, "-c", _SLOWLY, *asked], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as build:
        assert build.stdout is not None
        assert build.stdout.readline() == "stopped here\n"
        build.kill()
    assert not bundle.exists()

    assert main(asked) == 0
    assert described == [2], "the eight of the first batch were kept"
    resumed = items(bundle)
    (tmp_path / ".bundle.journal.sqlite").unlink()
    shutil.rmtree(bundle)
    assert main(asked) == 0
    assert described == [2, 8, 2]
    assert items(bundle) == resumed


@pytest.mark.slow
def test_what_is_said_of_an_image_depends_on_no_other(captioner: Path, photos: Path) -> None:
    speaker = Captioner(captioner)
    images = [Image.open(path).convert("RGB") for path in sorted(photos.glob("*.png"))[:8]]
    images[1:3] = [Image.new("RGB", (1, 1)), Image.new("RGB", (3, 500))]
    together = speaker.describe(images)
    assert together == [speaker.describe([image])[0] for image in images]


def test_an_image_that_changed_meanwhile_is_not_described(photos: Path) -> None:
    assert module._image(photos / "00.png", read_content, b"another") is None
    assert module._image(photos / "gone.png", read_content, b"another") is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("model.safetensors", "holds no image-to-text model"),
        ("tokenizer.json", "holds no image-to-text model"),
        ("preprocessor_config.json", "holds no image-to-text model"),
        ("config.json", "it has no config.json"),
    ],
)
def test_a_model_that_is_not_whole_is_said(
    damage: str,
    told: str,
    captioner: Path,
    tmp_path: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(captioner, broken)
    if damage == "model.safetensors":
        (broken / damage).write_bytes((broken / damage).read_bytes()[:1000])
    else:
        (broken / damage).unlink()
    assert main([*command, "--captioner", str(broken)]) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_what_is_no_captioner_shows_before_anything_is_embedded(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for model, told in (("./nowhere", "no folder nowhere"), ("demo/gallery", "no config.json")):
        assert main([*command, "--captioner", model]) == 1
        assert told in capsys.readouterr().err
    assert not (tmp_path / ".bundle.journal.sqlite").exists()


def test_a_hub_out_of_reach_and_a_missing_package_are_said(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_module("huggingface_hub", "a model's name is looked up on its hub")
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    assert main([*command, "--captioner", "nobody/nothing"]) == 1
    told = capsys.readouterr().err
    assert "nobody/nothing is no folder" in told
    assert "Name or service not known" in told

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main([*command, "--captioner", "nobody/nothing"]) == 1
    assert "requirements/caption.txt" in capsys.readouterr().err
