"""The texts on which the student learns what the teacher makes of them.

Names, keywords and definitions of the images and of ImageNet's classes; WordNet's
words, definitions and examples; and phrases made of them as people search: with
articles, colours, places, "a photo of", "something used to".  And two lists that were
written for this recipe: descriptions of common things that do not say the name
(``descriptions.tsv``), and captions as photographs have them (``photograph_captions.txt``).
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from timm.data.imagenet_info import ImageNetInfo

from build.demo_model.backbone import CLASSES
from build.demo_model.corpus import Concept
from build.demo_model.wordnet import Synset

_DESCRIPTIONS = Path(__file__).with_name("descriptions.tsv")
_CAPTIONS = Path(__file__).with_name("photograph_captions.txt")
# About as many letters as the text tower reads.
_LONGEST = 128
_FOOD, _ANIMAL, _ARTEFACT, _PERSON, _PLANT = 13, 5, 6, 18, 20
# The share of each of WordNet's noun domains that is learned: what can be seen first.
_SHARES = {
    **{3: 1.0, 4: 0.3, _ANIMAL: 1.0, _ARTEFACT: 1.0, 7: 0.2, 8: 1.0, 9: 0.2, 10: 0.2, 11: 0.5},
    **{12: 0.2, _FOOD: 1.0, 14: 0.3, 15: 0.6, 16: 0.3, 17: 1.0, _PERSON: 0.5, 19: 1.0},
    **{_PLANT: 0.6, 21: 0.3, 22: 0.2, 23: 0.2, 24: 0.2, 25: 1.0, 26: 0.3, 27: 0.6, 28: 0.2},
}
_SOLID = {_ANIMAL, _ARTEFACT, 8, _FOOD, 17, _PERSON, 19, _PLANT}
_OTHER_WORDS = 0.35
_COLOURS = (
    *("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"),
    *("black", "white", "grey", "golden", "silver", "dark", "bright", "colorful"),
)
_ADJECTIVES = (
    *("big", "small", "old", "new", "little", "happy", "sad", "cute", "angry"),
    *("sleeping", "wooden", "metal", "broken", "empty", "open", "closed", "round", "long"),
    *("fast", "tall", "beautiful", "modern", "futuristic", "ancient", "cartoon"),
)
_PLACES = (
    *("on the table", "in the water", "at night", "in the snow", "on a beach", "in the forest"),
    *("in the city", "in the sky", "at sunset", "in the kitchen", "on the street", "in a garden"),
    *("on a mountain", "in the sea", "under a tree", "in the rain"),
)
_TEMPLATES = (
    *("a {}", "the {}", "a photo of a {}", "a picture of a {}", "a drawing of a {}"),
    *("an image of {}", "a photograph of a {}", "clip art of a {}", "{}s", "two {}s", "some {}"),
    *("I am looking for a {}", "show me a {}", "find pictures of {}", "what does a {} look like"),
    *("a close-up of a {}", "my {}", "{} icon", "{} on a white background"),
)
_PHRASES = 26_000
_TEMPLATED_WORDS = 9_000
# How far a description, a definition and a question made of one are drawn to the name.
_DESCRIBED, _DEFINED, _ASKED = 1.0, 1.0, 0.5


@dataclass(frozen=True)
class Meaning:
    """A text that describes a thing without naming it, the entry that does, its weight.

    The student's target for it is drawn towards the entry's vector: so it learns to find
    the thing by what it is for.
    """

    entry: str
    weight: float


def class_texts(descriptions: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Of each of ImageNet's 1,000 classes: a name, all names, with definition, definition,
    descriptions."""
    info = ImageNetInfo("imagenet-1k")
    texts = []
    for index in range(CLASSES):
        names = info.index_to_description(index)
        entry = info.index_to_description(index, detailed=True)
        name = names.split(",")[0]
        described = descriptions.get(name.lower(), ())
        texts.append([name, names, entry, entry.split(": ", 1)[-1], *described])
    return texts


def read_descriptions() -> dict[str, list[str]]:
    """What people say of a thing in place of its name, by that name in lower case."""
    with _DESCRIPTIONS.open(encoding="utf-8", newline="") as table:
        rows = csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {name: described for name, *described in rows}


def distillation_texts(
    concepts: Iterable[Concept],
    descriptions: Mapping[str, Sequence[str]],
    nouns: list[Synset],
    other_words: list[Synset],
    count: int,
    rng: random.Random,
) -> tuple[list[str], dict[str, Meaning]]:
    """The texts, shuffled, and which of them describe what.

    All texts of concepts and classes, all descriptions and captions are among them;
    ``count`` is how many others are.
    """
    concepts = list(concepts)
    classes = class_texts(descriptions)
    certain = {text for concept in concepts for text in concept.texts()}
    certain |= {text for texts in classes for text in texts}
    certain |= {text for name, said in descriptions.items() for text in (name, *said)}
    certain |= set(_CAPTIONS.read_text("utf-8").splitlines())
    others: set[str] = set()
    for concept in concepts:
        others.update(concept.keywords[:12], concept.names)
    meanings = {
        text: Meaning(name, _DESCRIBED) for name, said in descriptions.items() for text in said
    }
    words: list[str] = []
    for synset in nouns:
        if rng.random() > _SHARES[synset.domain]:
            continue
        word = synset.words[0]
        # Latin names and breeds would crowd out the rest.
        latin = synset.domain in {_ANIMAL, _PLANT} and word[:1].isupper()
        if latin and rng.random() < 0.8:
            continue
        if synset.domain in _SOLID:
            words.append(word)
        others.update((*synset.words[:3], synset.entry, synset.definition, *synset.examples[:1]))
        meanings[synset.definition] = Meaning(synset.entry, _DEFINED)
        for question in questions(synset, rng):
            others.add(question)
            meanings[question] = Meaning(synset.entry, _ASKED)
    for synset in other_words:
        if rng.random() < _OTHER_WORDS:
            others.update((synset.words[0], *synset.examples[:1]))
    common = [concept.names[0] for concept in concepts if len(concept.names[0].split()) < 4]
    common += [names[0] for names in classes]
    others.update(_templated(common * 2 + rng.sample(words, _TEMPLATED_WORDS), rng))
    others.update(_phrase(common, words, rng) for _ in range(_PHRASES))
    cleaned = sorted({_clean(text) for text in others} - {""})
    rng.shuffle(cleaned)
    texts = sorted({_clean(text) for text in certain} | set(cleaned[:count]))
    rng.shuffle(texts)
    return texts, {
        _clean(text): Meaning(_clean(meaning.entry), meaning.weight)
        for text, meaning in meanings.items()
    }


def questions(synset: Synset, rng: random.Random) -> list[str]:
    """A definition's own words as one would ask: "something to cut paper with"."""
    asked = []
    used = re.search(r"\bused (?:to|for|in|by|as) [^;,()]+", synset.definition)
    if used:
        short = used.group(0).replace("used to ", "to ").replace("used for ", "for ")
        asked += [f"something {used.group(0)}", f"something {short}"]
    that = re.search(r"\b(?:that|which) [^;()]+", synset.definition)
    if that:
        kind = {_ANIMAL: "an animal", _PERSON: "a person"}.get(synset.domain, "it")
        asked.append(f"{rng.choice(['something', 'a thing', kind])} {that.group(0)}")
    return asked


def _templated(words: Iterable[str], rng: random.Random) -> set[str]:
    return {rng.choice(_TEMPLATES).format(word) for word in words}


def _phrase(common: list[str], words: list[str], rng: random.Random) -> str:
    word = rng.choice(common) if rng.random() < 0.75 else rng.choice(words)
    kind = rng.random()
    if kind < 0.35:
        phrase = f"{rng.choice(_COLOURS)} {word}"
    elif kind < 0.55:
        phrase = f"{rng.choice(_ADJECTIVES)} {word}"
    elif kind < 0.75:
        phrase = f"{word} {rng.choice(_PLACES)}"
    elif kind < 0.9:
        phrase = f"{word} and {rng.choice(common)}"
    else:
        phrase = f"{word} with a {rng.choice(common)}"
    return f"a {phrase}" if rng.random() < 0.6 else phrase


def _clean(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
