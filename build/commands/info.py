"""Say what a bundle or a model package is, and whether its files are whole."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from build.errors import BuildError
from models.manifest import (
    MANIFEST,
    MODEL_CARD,
    CaptionerFacts,
    DamagedError,
    FileRecord,
    Golden,
    IndexFacts,
    Manifest,
    ModelCard,
    OcrFacts,
    Preprocessing,
    Skipped,
    TextSpeed,
    Verification,
    verify_files,
)

_NAMED_SKIPPED = 20

Row = tuple[str, str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("folder", type=Path, help="a bundle or a model package")


def run(arguments: argparse.Namespace) -> int:
    """Print the table; the exit code is 1 where a file is damaged or missing."""
    folder: Path = arguments.folder
    if (folder / MANIFEST).exists():
        manifest = Manifest.read(folder)
        rows, files = bundle_rows(manifest), manifest.files
        skipped = skipped_lines(manifest.skipped)
    elif (folder / MODEL_CARD).exists():
        card = ModelCard.read(folder)
        rows, files = package_rows(card), card.files
        skipped = []
    else:
        raise BuildError(
            f"{folder} is neither a bundle nor a model package: it has no {MANIFEST} and no "
            f"{MODEL_CARD}."
        )
    damage = damaged(folder, files)
    print(table([*rows, *_file_rows(files, damage)]))
    for line in (*skipped, *damage.values()):
        print(line)
    return 1 if damage else 0


def bundle_rows(manifest: Manifest) -> list[Row]:
    """What a bundle is."""
    return [
        ("bundle", manifest.format),
        ("images", f"{manifest.images:,}"),
        ("skipped", _skipped_by_reason(manifest.skipped)),
        ("image root", manifest.image_root or "unknown"),
        ("index", _index(manifest.index)),
        *_captioner(manifest.captioner),
        *_ocr(manifest.ocr),
        ("created", manifest.created),
        ("versions", _versions(manifest.versions)),
        *package_rows(manifest.model),
    ]


def package_rows(card: ModelCard) -> list[Row]:
    """What a model package is."""
    rows = [
        ("model", f"{card.name}, {card.pretrained}"),
        ("licence", card.licence or "not stated"),
        ("description", card.description or ""),
        ("vectors", f"{card.embedding_dim} wide"),
        (
            "texts",
            f"up to {card.context_length} tokens, "
            f"{'padded no further than needed' if card.any_length else 'always padded'}, "
            f"{card.text_precision}",
        ),
        ("finer than int8", finer_parts(card)),
        ("text speed", "" if card.text_speed is None else speed(card.text_speed)),
        ("images as", f"{_preprocessing(card.preprocessing)}, {card.image_precision}"),
        ("verified", _verification(card.verification)),
        ("golden", _golden(card.golden)),
        ("exported", card.created),
        ("exported with", _versions(card.versions)),
    ]
    return [row for row in rows if row[1]]


def finer_parts(card: ModelCard) -> str:
    """The parts of a mixed text encoder that are not int8, such as ``fp32 0.qkv, 0.out``."""
    by_kind: dict[str, list[str]] = {}
    for part, kind in card.text_finer_parts.items():
        by_kind.setdefault(kind, []).append(part)
    return "; ".join(f"{kind} {', '.join(parts)}" for kind, parts in by_kind.items())


def speed(measured: TextSpeed) -> str:
    """Queries a second by precision, and where that was."""
    rates = ", ".join(f"{name} {rate:,}" for name, rate in measured.queries_per_second.items())
    return (
        f"{rates} queries a second, {measured.batch} at a time, in {measured.threads} threads of "
        f"{measured.processor}"
    )


def skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """The skipped images by reason, the first of each by name."""
    lines = []
    by_reason = sorted(skipped, key=lambda each: (each.reason, each.path))
    for reason, group in groupby(by_reason, key=lambda each: each.reason):
        some = list(group)
        lines.append(f"\nskipped as {reason}:")
        lines += [f"  {each.path}  ({each.detail})" for each in some[:_NAMED_SKIPPED]]
        if len(some) > _NAMED_SKIPPED:
            lines.append(f"  ... and {len(some) - _NAMED_SKIPPED} more: {MANIFEST} lists all")
    return lines


def damaged(folder: Path, files: Mapping[str, FileRecord]) -> dict[str, str]:
    """What is wrong with each file that is not as it was written."""
    wrong = {}
    for name, record in files.items():
        try:
            verify_files(folder, {name: record})
        except DamagedError as error:
            wrong[name] = str(error)
    return wrong


def table(rows: Iterable[Row]) -> str:
    """Names and values in two columns."""
    rows = list(rows)
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def _file_rows(files: Mapping[str, FileRecord], damage: Mapping[str, str]) -> list[Row]:
    return [
        (name, f"{_bytes(record.size)}, {'DAMAGED' if name in damage else 'whole'}")
        for name, record in files.items()
    ]


def _skipped_by_reason(skipped: Sequence[Skipped]) -> str:
    reasons = sorted(each.reason for each in skipped)
    counts = [f"{reason} {len(list(group))}" for reason, group in groupby(reasons)]
    return f"{len(skipped):,}" + (f" ({', '.join(counts)})" if counts else "")


def _captioner(facts: CaptionerFacts | None) -> list[Row]:
    return [] if facts is None else [("captioner", f"{facts.name}, {facts.sha256[:12]}")]


def _ocr(facts: OcrFacts | None) -> list[Row]:
    return [] if facts is None else [("texts read by", f"{facts.name} {facts.version}")]


def _index(facts: IndexFacts) -> str:
    parameters = "".join(f", {name} {value}" for name, value in facts.search_parameters.items())
    return (
        f"{facts.kind}, {facts.metric}{parameters}, recall@10 {facts.recall_at_10:.3f} "
        f"({facts.tuned_with})"
    )


def _preprocessing(preprocessing: Preprocessing) -> str:
    return (
        f"{preprocessing.width} by {preprocessing.height} pixels, "
        f"{preprocessing.resize_mode}, {preprocessing.interpolation}"
    )


def _verification(verification: Verification) -> str:
    told = (
        f"{verification.texts} texts to {verification.max_text_difference:.1e}, "
        f"{verification.images} images to {verification.max_image_difference:.1e}"
    )
    if verification.int8_overlap_at_10 is not None:
        told += f"; int8 overlap@10 {verification.int8_overlap_at_10:.3f}"
    if verification.overlap_at_10 not in (None, verification.int8_overlap_at_10):
        told += f", as kept {verification.overlap_at_10:.3f}"
    return told


def _golden(golden: Golden) -> str:
    return (
        f"{len(golden.texts)} texts to {golden.text_tolerance.largest:.1e}, an image to "
        f"{golden.image_tolerance.largest:.1e}, by {golden.computed_by}"
    )


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
