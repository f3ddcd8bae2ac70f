"""The same ids as open_clip's own tokenizer, whatever the text."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

from build.export.tokenizer_file import write_tokenizer
from models.manifest import TOKENIZER, DamagedError, ModelCard
from models.tokenizer import Tokenizer
from tests.documents import card

CONTEXT = 77
THEIRS = SimpleTokenizer(context_length=CONTEXT)
PIECES = (
    "a red fox", "Fox's", "don't", "WE'LL", " ", "\n\t", "  ", "&amp;", "&amp;amp;", "&lt;",
    "&#x1F98A;", "🦊", "👩\u200d👧", "é", "e\u0301", "ß", "İ", "ſ", "'ſ", "\u212a", "東京", "Ⅷ",
    "½", "２", "ﬁ", "…", "“", "—", "caf\u00c3\u00a9", "\u00a0", "\u200b", "\u0000", "\x1b[1m",
    "<end_of_text>", "<start_of_text>", "!", "!!", "_", "3.14", "ثعلب", "x" * 90,
    "long words " * 40,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def clip_card(folder: Path) -> ModelCard:
    tokens = write_tokenizer(THEIRS, CONTEXT, folder / TOKENIZER)
    return card().model_copy(update={"tokens": tokens, "context_length": CONTEXT})


@pytest.fixture(scope="module")
def ours(folder: Path, clip_card: ModelCard) -> Tokenizer:
    return Tokenizer.load(folder, clip_card)


def assert_same(ours: Tokenizer, text: str) -> None:
    # Which of the newest characters are letters depends on a library's Unicode version, and
    # open_clip's is newer; those that Python knows are the same to both.
    assume(all(unicodedata.category(letter) != "Cn" for letter in THEIRS.clean_fn(text)))
    [ids] = ours.encode([text])
    theirs = THEIRS([text])[0].tolist()
    assert ids + [0] * (CONTEXT - len(ids)) == theirs


@settings(max_examples=600, deadline=None)
@given(text=st.text(max_size=200))
@example(text="\u0345")
@example(text="α\u0345β !\u0345!")
def test_any_unicode(ours: Tokenizer, text: str) -> None:
    assert_same(ours, text)


@settings(max_examples=600, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_is_awkward_in_every_order(ours: Tokenizer, text: str) -> None:
    assert_same(ours, text)


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(max_codepoint=127), max_size=400))
def test_ascii(ours: Tokenizer, text: str) -> None:
    assert_same(ours, text)


def test_a_long_text_keeps_its_end(ours: Tokenizer, clip_card: ModelCard) -> None:
    [ids] = ours.encode(["fox " * 200])
    assert len(ids) == CONTEXT
    assert ids[0] == clip_card.tokens.start_id
    assert ids[-1] == clip_card.tokens.end_id


def test_no_texts_no_ids(ours: Tokenizer) -> None:
    assert ours.encode([]) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / TOKENIZER).write_text("{}")
    with pytest.raises(DamagedError, match=r"tokenizer\.json"):
        Tokenizer.load(tmp_path, card())
