"""One term for one thing: the field's, in code, messages and docs; the page speaks to people."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import accumulate
from pathlib import Path

import pytest

from tests.own_files import ROOT, own_files

# Each term, and the words that must not stand for it, however they are put together.
TERMS = {
    "image": r"picture(?!d\b|sque)",
    "embedding": r"\b(?:image|text|query)(?:s'|'s|s)?[ _]vectors?\b",
    "checksum": r"(?:\b|_)seal(?:s|ed|ing)?(?:\b|_)",
    "at random": r"\bby lot\b",
}
# Where the page's own words are: its texts, and the tests that look for them, within quotes.
PAGE = ("ui/*.py", "tests/ui/*.py", "tests/unit/test_ui_*.py")
# These are part of the protocol for assistants, not of the page.
NOT_PAGE = ("ui/mcp.py", "tests/unit/test_ui_mcp.py")
WRITTEN = (
    *("*.py", "*.js", "*.mjs", "*.css", "*.md", "*.toml", "*.yml", "*.yaml", "*.sh", "*.ipynb"),
    *("Makefile", "Dockerfile", "*.template", "openapi.json", "latest.json"),
)
# Words of others: questions that people ask, and this list.
LEFT_OUT = ("demo/QUESTIONS.md", "tests/unit/test_terms.py")


@dataclass(frozen=True)
class Excepted:
    """What is written all the same: where, as which expression, and why."""

    files: tuple[str, ...]
    words: str
    why: str


EXCEPTIONS = (
    Excepted(
        ("ui/mcp.py", "docs/protocols.md", "tests/*/test*mcp.py", "tests/serving/test_proto*.py"),
        r"search_pictures|similar_pictures|describe_picture|\\w\+_pictures\?",
        "MCP's tools: assistants were set up with these names",
    ),
    Excepted(
        (
            "models/document.py",
            "models/manifest.py",
            "models/model_card.py",
            "tests/documents.py",
            "tests/unit/test_document.py",
            "tests/unit/test_model_card.py",
        ),
        '"(?:picture|pictures|picture_root|picture_tolerance|seal)"|``seal``|has no pictures:',
        "what manifests and model cards that exist call it",
    ),
    Excepted(
        ("docs/bundle.md",),
        '`(?:picture|pictures|picture_root|picture_tolerance)`|"seal"',
        "as above, described",
    ),
    Excepted(
        ("tests/attacks/test_bundles.py", "tests/fuzz/test_documents.py"),
        r'manifest\["pictures"\]|"seal"',
        "as above, forged",
    ),
    Excepted(
        ("build/journal.py", "build/journal_file.py"),
        r"(?:TABLE|FROM|JOIN|INTO|ON) pictures\b|\bpictures\.(?:sha256|path)|\"pictures\", \"arch",
        "a table of journals that exist, which spare their owners hours",
    ),
    Excepted(
        ("build/made_of.py",),
        r'add\("picture"',
        "part of a checksum: otherwise every bundle would be built again",
    ),
    Excepted(
        ("build/bundle_items.py", "tests/unit/test_bundle_items.py", "tests/unit/test_words.py"),
        r'"Picture[",]',
        "alt text, which is read out on the page",
    ),
    Excepted(("tests/build/test_index.py",), r'"Picture, 60 by', "as above"),
    Excepted(
        ("serving/archive.py", "tests/serving/test_archive.py", "ui/select.js"),
        r"pictures\.(?:zip|csv)",
        "files that the page gives to people",
    ),
    Excepted(
        ("README.md", "CHANGELOG.md", "Makefile", "docs/*.md", "sightline/bundles.py"),
        r"/Pictures\b",
        "a folder that systems call so",
    ),
    Excepted(
        ("build/metadata/exif.py", "tests/unit/test_metadata.py"),
        r"jpeg\(_picture\)|Exif_JPEG_PICTURE",
        "what cameras write",
    ),
    Excepted(
        ("build/demo_model/texts.py", "benchmarks/make_queries.py"),
        "a picture of a {|find pictures of {|a wide picture of a {",
        "what people ask, by which a model is trained and services are measured",
    ),
    Excepted(
        ("serving/speech.py", "tests/unit/test_speech.py"),
        '"A picture of"',
        "what Whisper takes for said before",
    ),
    Excepted(
        ("build/demo_gallery/__main__.py", "tests/unit/test_gallery.py"),
        r"""row\[["']picture["']\]""",
        "a column of the gallery's selection, which is data",
    ),
    Excepted(("docs/architecture.md",), "picture desk", "a newspaper's"),
    Excepted(
        ("CONTRIBUTING.md",),
        r"\(not (?:picture|seal|by lot)\)|^  picture, ein Bild",
        "where contributors are told",
    ),
    Excepted(
        ("CHANGELOG.md",),
        "`pictures`",
        "what it was called before",
    ),
)


def without_page_texts(source: str) -> str:
    """A module of the page without what it says to people: strings other than docstrings."""
    tree = ast.parse(source)
    docstrings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    strings = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    ]
    # Columns are counted in bytes.
    starts = [0, *accumulate(map(len, source.encode().splitlines(keepends=True)))]
    spans = [
        (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )
        for node in strings
        if node not in docstrings and node.end_lineno and node.end_col_offset
    ]
    kept, last = [], 0
    for begin, end in sorted(spans):
        # What is within an f-string comes after it.
        if begin >= last:
            kept.append(source.encode()[last:begin].decode())
            last = end
    return '""'.join([*kept, source.encode()[last:].decode()])


def found_in(name: str, text: str, words: str) -> list[str]:
    """The lines in which one of the words stands where no exception lets it."""
    if any(fnmatch(name, one) for one in PAGE) and name not in NOT_PAGE:
        text = without_page_texts(text)
    for exception in EXCEPTIONS:
        if any(fnmatch(name, one) for one in exception.files):
            text = re.sub(exception.words, "", text, flags=re.MULTILINE)
    return [
        f"{name}: {line.strip()}"
        for line in text.splitlines()
        if re.search(words, line, re.IGNORECASE)
    ]


def written() -> dict[str, str]:
    """All that is written here, but for the words of others."""
    names = {path.relative_to(ROOT).as_posix(): path for path in own_files(*WRITTEN)}
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in names.items()
        if name not in LEFT_OUT
    }


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    found = written()
    assert {"service.py", "README.md", "ui/view.js", "tests/unit/openapi.json"} <= set(found)
    return found


@pytest.mark.parametrize("term", TERMS)
def test_one_term_stands_for_one_thing(term: str, texts: dict[str, str]) -> None:
    found = [line for name, text in texts.items() for line in found_in(name, text, TERMS[term])]
    assert found == [], f"say {term!r}"


@pytest.mark.parametrize("term", TERMS)
def test_files_are_named_by_the_terms(term: str) -> None:
    names = [path.relative_to(ROOT).as_posix() for path in own_files("*.py", "*.md", "*.js")]
    assert [name for name in names if re.search(TERMS[term], name, re.IGNORECASE)] == []


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda exception: exception.files[0])
def test_every_exception_is_needed(exception: Excepted, texts: dict[str, str]) -> None:
    for pattern in exception.files:
        of_it = [text for name, text in texts.items() if fnmatch(name, pattern)]
        assert any(re.search(exception.words, text, re.MULTILINE) for text in of_it), pattern


@pytest.mark.parametrize(
    ("name", "text", "term"),
    [
        ("models/a.py", "def read_pictures(): ...", "image"),
        ("models/a.py", 'raise ValueError("no picture")', "image"),
        ("docs/a.md", "# Your own Pictures", "image"),
        ("ui/a.py", "# A picture\nsay('a picture')", "image"),
        ("ui/a.py", 'def picture():\n    """What is sought."""', "image"),
        ("ui/a.py", '"""A picture."""\n', "image"),
        ("ui/mcp.py", 'say("no picture was found")', "image"),
        ("ui/a.js", 'say("a picture")', "image"),
        ("models/a.py", "text_vectors = 1", "embedding"),
        ("models/a.py", "_NO_SEAL = 0", "checksum"),
        ("README.md", "A sample, drawn by lot.", "at random"),
    ],
)
def test_another_word_is_found(name: str, text: str, term: str) -> None:
    assert len(found_in(name, text, TERMS[term])) == 1


def test_the_page_speaks_to_people() -> None:
    text = 'def told() -> str:\n    """Say it."""\n    return "A picture: " + f"{n} pictures"\n'
    assert found_in("ui/english.py", text, TERMS["image"]) == []
    assert found_in("tests/ui/test_page.py", text, TERMS["image"]) == []


def test_the_terms_are_told_to_contributors() -> None:
    told = Path(ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for term, words in (("image", "picture"), ("checksum", "seal"), ("at random", "by lot")):
        assert re.search(rf"\*{term}\*[^;.]*{words}", told), term
