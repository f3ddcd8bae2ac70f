"""The documents are true: what they name exists, and what there is they name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from models import manifest
from models.manifest import MODEL_CARD, Manifest, ModelCard
from tests.own_files import ROOT


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def first_cells(text: str) -> list[str]:
    """The first cell of each row of a table that begins with code, a status before it left out."""
    rows = re.findall(r"^\| (?:\d{3} \| )?(`.*)$", text, re.MULTILINE)
    return [row.split(" | ")[0] for row in rows]


@cache
def texts_of_the_code() -> str:
    """Every text in the code, those of a message with values in it in pieces."""
    pieces = [page("Makefile")]
    for folder in ("build", "demo", "models", "serving"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    pieces.append(node.value)
    return "\n".join(pieces)


def test_every_message_that_is_explained_is_one() -> None:
    cells = first_cells(page("docs/troubleshooting.md"))
    messages = [message for cell in cells for message in re.findall("`([^`]+)`", cell)]
    assert len(messages) > 50
    # What stands between the values in it.
    pieces = [
        piece.removeprefix("error: ").strip(" .,:")
        for message in messages
        for piece in message.split("…")
    ]
    assert [piece for piece in pieces if piece not in texts_of_the_code()] == []


def test_every_file_and_name_on_the_walks_is_there() -> None:
    walks = page("docs/architecture.md").replace("\\", "").replace("../", "")
    files = set(re.findall(r"[\w/]+\.(?:py|json)\b", walks))
    assert len(files) > 50
    assert [file for file in files if not (ROOT / file).exists()] == []
    named = re.findall(r"`(\w+)`(?:, with a default[\w, ]+)?\s+in\s+\[([^\]]+)\]", walks)
    assert len(named) > 15
    assert [(name, file) for name, file in named if name not in page(file)] == []


def test_the_bundle_is_described_as_it_is() -> None:
    tables, _, databases = page("docs/bundle.md").partition("## items.sqlite")
    files, of_both = tables.split("## manifest.json")
    of_bundle, of_model = of_both.split("### The model")
    there = {
        value
        for name, value in vars(manifest).items()
        if name.isupper() and isinstance(value, str) and Path(value).suffix
    }
    assert {cell.strip("`") for cell in first_cells(files)} == there - {MODEL_CARD}
    for kind, text in ((Manifest, of_bundle), (ModelCard, of_model)):
        fields = re.findall(r"`(\w+)`", " ".join(first_cells(text)))
        assert set(fields) == set(kind.model_fields)
        assert fields_within(kind) <= set(re.findall(r"`(\w+)`", text))
    # Each statement stands in the code, word for word.
    code = "".join(page(f"models/{name}.py") for name in ("items", "facts", "thumbnails"))
    statements = re.findall(r"CREATE [^;`]*", databases)
    assert len(statements) == code.count("CREATE ")
    assert [one for one in statements if one.strip() not in code] == []


def fields_within(kind: type[BaseModel]) -> set[str]:
    """The fields of a document and of what is in it, the model aside, which has its own table."""
    found = set(kind.model_fields)
    for field in kind.model_fields.values():
        for name in re.findall(r"models\.manifest\.(\w+)", repr(field.annotation)):
            if name != ModelCard.__name__:
                found |= fields_within(getattr(manifest, name))
    return found
