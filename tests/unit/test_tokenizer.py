"""The same ids as open_clip's own tokenizer, whatever the text."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

import models.tokenizer
from build.export.tokenizer_file import write_tokenizer
from models.damage import DamagedError
from models.file_names import TOKENIZER
from models.model_card import ModelCard
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


def framed(ours: Tokenizer, **changed: object) -> Tokenizer:
    """The same vocabulary, as another model's card would use it."""
    tokens = {
        name: changed.pop(name) for name in ("cleaning", "pad_id", "zeroed_id") if name in changed
    }
    base = card().model_copy(update={"context_length": CONTEXT} | changed)
    update = {"tokens": base.tokens.model_copy(update={"start_id": None} | tokens)}
    return Tokenizer(ours._fast, base.model_copy(update=update))


@pytest.mark.parametrize(
    ("cleaning", "text", "cleaned"),
    [
        ("lower", "  A  Red\n FOX ", "a red fox"),
        ("lower", "Fish &amp;amp; CHIPS", "fish & chips"),
        ("whitespace", "  A  Red\n FOX! ", "A Red FOX!"),
        ("canonicalize", " A_red, (FOX)!  it's ", "a red fox its"),
        ("canonicalize", "___", ""),
        ("canonicalize", "“Quoted” & so on", "quoted so on"),
    ],
)
def test_a_text_is_cleaned_as_its_model_wants_it(
    ours: Tokenizer, cleaning: str, text: str, cleaned: str
) -> None:
    assert models.tokenizer._CLEANINGS[cleaning](text) == cleaned
    tokenizer = framed(ours, cleaning=cleaning)
    assert tokenizer.encode([text]) == [ours._fast.encode(cleaned).ids]


def test_a_model_that_needs_it_gets_the_whole_context(ours: Tokenizer) -> None:
    [ids] = framed(ours, any_length=True).encode(["a red fox"])
    [padded] = framed(ours, any_length=False, pad_id=9).encode(["a red fox"])
    assert padded == ids + [9] * (CONTEXT - len(ids))
    # Whatever fills the context does not count: of SigLIP's it is what ends a text, too.
    for pad in (9, ids[-1]):
        assert framed(ours, any_length=False, pad_id=pad).unpadded(["a red fox"]) == [ids]


def test_a_token_that_open_clip_zeroes_is_zeroed(ours: Tokenizer) -> None:
    [ids] = framed(ours).encode(["a red fox"])
    [zeroed] = framed(ours, zeroed_id=ids[2]).encode(["a red fox"])
    assert zeroed == [*ids[:2], 0, *ids[3:]]


def test_a_file_may_be_given_as_its_content(folder: Path, clip_card: ModelCard) -> None:
    content = (folder / TOKENIZER).read_bytes()
    given = Tokenizer.load(folder / "nowhere", clip_card, content)
    assert given.encode(["a red fox"]) == Tokenizer.load(folder, clip_card).encode(["a red fox"])
    with pytest.raises(DamagedError, match=r"^/b/tokenizer\.json cannot be read: .* Export it "):
        Tokenizer.load(Path("/b"), clip_card, b"{")


def test_plain_texts_need_no_mending() -> None:
    """ftfy, which takes long to load, is asked only where there may be something to mend."""
    for text in ("a red fox", " x ", "50% off!"):
        assert models.tokenizer._basic(text) == text.strip()
    assert models.tokenizer._basic("a\tb") == "a\tb"
    assert models.tokenizer._basic("&lt;") == "<"
    assert models.tokenizer._basic("caf\u00c3\u00a9") == "café"
