"""The table of architectures: what was tried, and what each came to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import open_clip
import pytest

from build.export import architectures
from build.export.architectures import main, table

FOUND = {
    "b": {"result": "needs the hub", "why": "org/tokenizer"},
    "A": {
        "result": "exported",
        "millions": 12.3,
        "tower": "written out",
        "texts": "any length",
        "difference": "1.0e-07, 2.0e-07",
    },
    "c": {"result": "fails", "millions": 3.0, "why": "reason"},
}


def test_what_exports_comes_first_and_what_fails_says_why() -> None:
    rows = [line for line in table(FOUND).splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| A | 12 | exported | written out | any length | 1.0e-07, 2.0e-07 |",
        "| c | 3 | fails: reason |  |  |  |",
        "| b |  | needs the hub: org/tokenizer |  |  |  |",
    ]
    assert "Of the 3 architectures" in table(FOUND)
    assert "1 were exported" in table(FOUND)


def test_an_architecture_is_tried_and_kept_in_the_journal(
    tiny_architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small one in this process, since others do not know of it."""
    journal, page = tmp_path / "kept" / "journal.jsonl", tmp_path / "table.md"
    monkeypatch.setattr(sys, "argv", ["", "--journal", str(journal), "--table", str(page)])
    monkeypatch.setattr(open_clip, "list_models", lambda: [tiny_architecture])
    monkeypatch.setattr(
        architectures,
        "_try_apart",
        lambda name, _: architectures._try(name),
    )
    assert main() == 0
    [line] = journal.read_text().splitlines()
    found = json.loads(line)
    assert (found["name"], found["result"], found["tower"]) == (
        tiny_architecture,
        "exported",
        "written out",
    )
    assert f"| {tiny_architecture} |" in page.read_text()
    # Again: nothing is tried that is in the journal.
    monkeypatch.setattr(architectures, "_try_apart", None)
    assert main() == 0


def test_what_lies_on_a_hub_is_told_apart() -> None:
    assert architectures._try("ViT-B-16-SigLIP") == {
        "result": "needs the hub",
        "why": "timm/ViT-B-16-SigLIP",
    }
