"""The recipe from registry packages to a checkpoint.

Everything that takes long is kept in the work folder: stopped and started again, the
recipe goes on where it was.  Its settings were chosen on captioned images of the demo's
own gallery, which the training never sees.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from numpy.typing import NDArray
from open_clip.tokenizer import SimpleTokenizer

from build.demo_gallery.packages import fetch
from build.demo_model import sources
from build.demo_model.backbone import FEATURES, load_backbone, photograph_means
from build.demo_model.corpus import (
    Concept,
    read_corpus,
    senses,
    visible_meanings,
)
from build.demo_model.features import extract
from build.demo_model.head import Drawings, train_head
from build.demo_model.image_tower import Committee, ConSE, ImageTower, PhotographGate
from build.demo_model.kept import kept_as
from build.demo_model.model import DemoModel
from build.demo_model.rounding import fold_norms, round_to_storage
from build.demo_model.stamps import QUESTIONS, write_evaluation_sets
from build.demo_model.student import (
    Answers,
    align,
    distil,
    encode,
    make_student,
    make_tokenizer,
    start_from_word_pieces,
)
from build.demo_model.teacher import Teacher, fetch_teacher, reduced
from build.demo_model.texts import (
    Meaning,
    class_texts,
    distillation_texts,
    questions,
    read_descriptions,
)
from build.demo_model.validation import GALLERY_QUESTIONS, read_validation, validate
from build.demo_model.wordnet import read_synsets

SEED = 0
TEXTS = 70_000
LESSONS = 4_500
HEADS = 3
HEAD_EPOCHS = 30
ALIGNMENT_STEPS = 600
# Of ConSE in drawings and in photographs: in the middle of what is best on the gallery.
WEIGHTS = (1.0, 2.0)
_VIEWS = (None, 1)
_TWIN = 0.9
_SAME_QUESTION = 0.85
_SURE_SENSE = 0.3
# A quarter of all drawings are black silhouettes of fantasy games.
_SILHOUETTES = "@iconify-json/game-icons"
_SILHOUETTE_WEIGHT = 0.4


class Log:
    """Lines of the training log, with the seconds since the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = time.monotonic()

    def __call__(self, line: str) -> None:
        """Write and print a line."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"{time.monotonic() - self._start:7.0f} s  {line}\n")
        print(line)


def train(work: Path, gallery: Path) -> tuple[DemoModel, SimpleTokenizer]:
    """Fetch, train, and write ``checkpoint.pt``, ``config.json``, ``training.log``."""
    work.mkdir(parents=True, exist_ok=True)
    log = Log(work / "training.log")
    cache = work / "cache"
    images, concepts = read_corpus(cache, gallery)
    log(f"{len(images)} drawings of {len(concepts)} concepts")
    teacher = Teacher(fetch_teacher(cache), work)
    descriptions = _unlike_questions(read_descriptions(), teacher, log)
    define(concepts, teacher, cache)
    for concept in concepts.values():
        concept.descriptions = _described(concept, descriptions)

    backbone = load_backbone(fetch(sources.BACKBONE, cache))
    photographs = photograph_means(backbone)
    fold_norms(backbone)
    round_to_storage(backbone)
    views = [
        extract(backbone, [p.path for p in images], view, work / f"features-{view}.npy")
        for view in _VIEWS
    ]
    stamps = work / "stamps"
    write_evaluation_sets(stamps, cache)
    stamp_paths = sorted((stamps / "set-b").rglob("*.png"))
    seen = extract(backbone, stamp_paths, None, work / "features-stamps.npy")
    twins = _nearest(views[0], seen) > _TWIN
    log(f"{int(twins.sum())} drawings left out as twins of evaluation images")

    tokenizer = make_tokenizer()
    lessons, targets = _lessons(cache, concepts, descriptions, teacher)
    log(f"{len(lessons)} texts for the student")
    torch.manual_seed(SEED)
    student = make_student(tokenizer.vocab_size)
    start_from_word_pieces(student, tokenizer, teacher)
    distil(
        student,
        tokenizer,
        lessons,
        targets,
        steps=LESSONS,
        seed=SEED,
        checkpoint=work / "student.pt",
        log=log,
    )

    keys = list(concepts)
    texts = [concepts[key].texts() for key in keys]
    flat = [text for several in texts for text in several]
    kept = np.flatnonzero(~twins)
    row_of = {key: row for row, key in enumerate(keys)}
    drawings = Drawings(
        features=torch.from_numpy(np.stack(views)[:, kept]),
        concept=torch.tensor([row_of[images[row].concept] for row in kept]),
        texts=torch.from_numpy(encode(student, tokenizer, flat)),
        starts=torch.tensor(np.cumsum([0, *(len(several) for several in texts)])),
        weight=torch.tensor(
            [_SILHOUETTE_WEIGHT if images[row].source == _SILHOUETTES else 1.0 for row in kept]
        ),
    )
    heads = []
    for seed in range(SEED, SEED + HEADS):
        kept_head = work / f"head-{seed}.pt"
        if not kept_head.exists():
            head = train_head(drawings, epochs=HEAD_EPOCHS, seed=seed)
            with kept_as(kept_head) as part:
                torch.save(head, part)
        heads.append(torch.load(kept_head, weights_only=False))

    classes = class_texts(descriptions)
    said = encode(student, tokenizer, [text for several in classes for text in several])
    starts = np.cumsum([0, *(len(several) for several in classes[:-1])])
    conse = ConSE(F.normalize(torch.from_numpy(np.add.reduceat(said, starts)), dim=-1))
    validation = read_validation(backbone, gallery, work)
    gate = PhotographGate(drawings.features.flatten(0, 1), photographs)
    tower = ImageTower(backbone, Committee(heads), conse, gate, WEIGHTS)
    with torch.no_grad():
        shown = tower.embed(validation.features)
        drawn = torch.cat([tower.embed(part) for part in torch.split(drawings.features[0], 2048)])
    log(f"on the gallery: {validate(shown, validation, student, tokenizer)}")
    asked = [_as_asked(concepts[key], random.Random(SEED)) for key in keys]
    answers = Answers(
        [text for several in asked for text in several],
        np.cumsum([0, *(len(several) for several in asked)]),
        drawn,
        drawings.concept,
        drawings.weight,
    )
    aligned = work / "aligned.pt"
    if not aligned.exists():
        align(student, tokenizer, lessons, targets, answers, steps=ALIGNMENT_STEPS, seed=SEED)
        with kept_as(aligned) as part:
            torch.save(student.state_dict(), part)
    student.load_state_dict(torch.load(aligned, weights_only=True))
    log(f"aligned: {validate(shown, validation, student, tokenizer)}")
    model = DemoModel(student, tower).eval()
    round_to_storage(model.visual)
    torch.save(model.state_dict(), work / "checkpoint.pt")
    (work / "config.json").write_text(json.dumps(_config(), indent=2) + "\n", "utf-8")
    return model, tokenizer


def define(concepts: dict[str, Concept], teacher: Teacher, cache: Path) -> None:
    """Give each concept the WordNet definition that fits its keywords best, if one does."""
    meanings = visible_meanings(read_synsets(fetch(sources.WORDNET, cache), "noun"))
    candidates = {key: senses(concept, meanings) for key, concept in concepts.items()}
    texts = {concept.headline(8) for concept in concepts.values()}
    texts |= {sense.entry for several in candidates.values() for sense in several}
    ordered = sorted(texts)
    vector = dict(zip(ordered, teacher.encode(ordered), strict=True))
    for key, several in candidates.items():
        concept = concepts[key]
        context = vector[concept.headline(8)]
        scored = [(float(context @ vector[sense.entry]), sense) for sense in several]
        if scored:
            fit, sense = max(scored, key=lambda pair: pair[0])
            concept.definition = sense if fit > _SURE_SENSE else None


def _unlike_questions(
    descriptions: dict[str, list[str]], teacher: Teacher, log: Log
) -> dict[str, list[str]]:
    """The descriptions without those that say what a question of the evaluation says."""
    asked = [
        entry["query"]
        for file in (*QUESTIONS, GALLERY_QUESTIONS)
        for entry in json.loads(file.read_text("utf-8"))
    ]
    said = sorted({text for several in descriptions.values() for text in several})
    nearest = (teacher.encode(said) @ teacher.encode(asked).T).max(1)
    known = {text for text, near in zip(said, nearest, strict=True) if near > _SAME_QUESTION}
    log(f"{len(known)} of {len(said)} descriptions left out for questions of the evaluation")
    return {
        name: [text for text in several if text not in known]
        for name, several in descriptions.items()
    }


def _described(concept: Concept, descriptions: dict[str, list[str]]) -> list[str]:
    for name in concept.names[:3]:
        if name.lower() in descriptions:
            return descriptions[name.lower()]
    return []


def _lessons(
    cache: Path,
    concepts: dict[str, Concept],
    descriptions: dict[str, list[str]],
    teacher: Teacher,
) -> tuple[list[str], NDArray[np.float32]]:
    """The student's texts and their target vectors."""
    root = fetch(sources.WORDNET, cache)
    texts, meanings = distillation_texts(
        concepts.values(),
        descriptions,
        read_synsets(root, "noun"),
        read_synsets(root, "verb") + read_synsets(root, "adj"),
        TEXTS,
        random.Random(SEED),
    )
    return texts, _targets(texts, reduced(teacher.encode(texts)), meanings)


def _targets(
    texts: Sequence[str], taught: NDArray[np.float32], meanings: dict[str, Meaning]
) -> NDArray[np.float32]:
    row = {text: number for number, text in enumerate(texts)}
    targets = taught.copy()
    for text, meaning in meanings.items():
        if text in row and meaning.entry in row:
            targets[row[text]] += meaning.weight * taught[row[meaning.entry]]
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    return targets


def _as_asked(concept: Concept, rng: random.Random) -> list[str]:
    """The concept's names and, as often, descriptions that do without them."""
    names = [*concept.names[:3], concept.headline(6)]
    described = list(concept.descriptions)
    if concept.definition is not None:
        described += [concept.definition.definition, *questions(concept.definition, rng)]
    if not described:
        return names
    return names + [text for text, _ in zip(cycle(described), names, strict=False)]


def _nearest(features: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row's greatest cosine to any of the others, by the features the classifier reads."""

    def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = rows[:, :FEATURES].copy()
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    nearest: NDArray[np.float32] = (unit(features) @ unit(others).T).max(1)
    return nearest


def _config() -> dict[str, Any]:
    return {
        "seed": SEED,
        "texts": TEXTS,
        "lessons": LESSONS,
        "heads": HEADS,
        "head_epochs": HEAD_EPOCHS,
        "conse_weights": dict(zip(("drawing", "photograph"), WEIGHTS, strict=True)),
        "alignment_steps": ALIGNMENT_STEPS,
    }
