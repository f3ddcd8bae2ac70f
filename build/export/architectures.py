"""Every architecture that open_clip knows, exported and verified: the table in the docs.

    python -m build.export.architectures --journal artifacts/architectures.jsonl \
        --table docs/architectures.md

Each is loaded with random weights and goes through the ordinary export, in a process of its
own.  What was found out is kept in the journal, so that a run that is stopped goes on; take
an architecture's line out of it to try it again.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import open_clip
import torch

from build.errors import BuildError
from build.export.checkpoint import load_checkpoint
from build.export.hub import first_line
from build.export.package import export
from build.export.sources import RANDOM
from build.export.text_tower import take_apart

# What is larger takes more memory than the machines that this is run on have.
_MOST_MILLIONS = 500
_HOUR = 3600


def main() -> int:
    """Try what is not in the journal yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--only", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(_try(arguments.only)))
        return 0
    found = _read(arguments.journal)
    for name in open_clip.list_models():
        if name in found:
            continue
        found[name] = _try_apart(name, arguments)
        print(f"{name}: {found[name]['result']}", file=sys.stderr)
        arguments.journal.parent.mkdir(parents=True, exist_ok=True)
        with arguments.journal.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps({"name": name} | found[name]) + "\n")
    arguments.table.write_text(table(found), encoding="utf-8")
    return 0


def table(found: dict[str, dict[str, Any]]) -> str:
    """The page of the documentation, Markdown."""
    exported = sum(one["result"] == "exported" for one in found.values())
    version = importlib.metadata.version("open_clip_torch")
    return "\n".join(
        [
            "# Which architectures export",
            "",
            f"Of the {len(found)} architectures of open_clip {version}, {exported} were exported "
            "with random weights and verified against open_clip here: 76 texts one by one and in "
            "batches, and 8 images, to 1e-4. Those that need something of the Hugging Face hub "
            "(a tokenizer, the settings of a text tower), which could not be reached, were not "
            "tried, nor were those of more than 500 million parameters; neither is known to fail. "
            "Text towers and tokenizers of the kinds that need the hub are tested on small ones "
            "that are made on the disk (`tests/build/tiny_models.py`).",
            "",
            "*Written out* is a text tower whose graph is written for ONNX Runtime (fast, and "
            "with int8); *traced* is one as PyTorch's exporter sees it (fp32). Texts are *padded* "
            "to the context length only where the model sees its padding.",
            "",
            "Made by `python -m build.export.architectures --journal FILE --table "
            "docs/architectures.md`.",
            "",
            "| architecture | million parameters | result | text tower | texts | "
            "largest difference, text and image |",
            "|---|---:|---|---|---|---|",
            *(_row(name, one) for name, one in sorted(found.items(), key=_order)),
            "",
        ]
    )


def _order(entry: tuple[str, dict[str, Any]]) -> tuple[int, str]:
    ranks = {"exported": 0, "fails": 1, "too large to try here": 2}
    return ranks.get(str(entry[1]["result"]), 3), entry[0].lower()


def _row(name: str, one: dict[str, Any]) -> str:
    why = f": {one['why']}" if one.get("why") else ""
    millions = f"{one['millions']:.0f}" if one.get("millions") else ""
    cells = [name, millions, one["result"] + why, one.get("tower", ""), one.get("texts", "")]
    return f"| {' | '.join(cells)} | {one.get('difference', '')} |"


def _read(journal: Path) -> dict[str, dict[str, Any]]:
    if not journal.exists():
        return {}
    lines = journal.read_text(encoding="utf-8").splitlines()
    # The last one may have been cut off.
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    return {one.pop("name"): one for one in whole}


def _try_apart(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", __spec__.name, "--only", name]
    command += ["--journal", str(arguments.journal), "--table", str(arguments.table)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_HOUR)
    except subprocess.TimeoutExpired:
        return {"result": "fails", "why": "not done within an hour"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["killed, for lack of memory perhaps"])[-1]
        return {"result": "fails", "why": last}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _try(name: str) -> dict[str, Any]:
    config = open_clip.get_model_config(name) or {}
    text = config["text_cfg"]
    wanted = [text[key] for key in ("hf_model_name", "hf_tokenizer_name") if key in text]
    if wanted:
        return {"result": "needs the hub", "why": " and ".join(dict.fromkeys(wanted))}
    with torch.device("meta"):
        model = open_clip.create_model(name, load_weights=False, device="meta")
    millions = sum(weights.numel() for weights in model.parameters()) / 1e6
    facts: dict[str, Any] = {"millions": round(millions, 1)}
    if millions > _MOST_MILLIONS:
        return facts | {"result": "too large to try here"}
    torch.manual_seed(0)
    try:
        checkpoint = load_checkpoint(name, RANDOM)
        with tempfile.TemporaryDirectory() as folder:
            card = export(checkpoint, Path(folder) / "package", "fp32")
    except BuildError as error:
        return facts | {"result": "fails", "why": first_line(error)}
    measured = card.verification
    return facts | {
        "result": "exported",
        "tower": "traced" if take_apart(checkpoint.model) is None else "written out",
        "texts": "any length" if card.any_length else f"padded to {card.context_length}",
        "difference": f"{measured.max_text_difference:.1e}, {measured.max_image_difference:.1e}",
    }


if __name__ == "__main__":
    sys.exit(main())
