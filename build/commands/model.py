"""Export an open_clip model: both encoders as ONNX, verified, with tokenizer and card.

Nothing is written unless the export agrees with open_clip. Needs the `export` extra.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from build.commands.info import finer_parts, speed
from build.errors import BuildError
from models.installation import extra
from models.manifest import ModelCard


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME|hf-hub:ORG/NAME|local-dir:FOLDER",
        help="open_clip's name of it, such as ViT-B-32-256; a repository of the Hugging Face hub; "
        "or a folder with open_clip_config.json and weights",
    )
    parser.add_argument(
        "--pretrained",
        metavar="TAG|FILE|random",
        help="a tag of the model (fetched from its hub), a file of weights, or `random` for "
        "tests; by default the model's usual tag",
    )
    parser.add_argument(
        "--preprocessing-of",
        metavar="TAG",
        help="for a file: the tag whose preprocessing it was trained with, where the model's "
        "published weights do not agree on one",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="PACKAGE")
    parser.add_argument(
        "--precision",
        choices=("auto", "int8", "fp32"),
        default="auto",
        help="of the text encoder; auto takes int8, with as few layers in fp32 as it needs to "
        "find what fp32 finds",
    )


def run(arguments: argparse.Namespace) -> int:
    """Load, export, and say what was measured."""
    try:
        from build.export import RANDOM, export, load_checkpoint
    except ModuleNotFoundError as error:
        raise BuildError(f"the export needs {error.name}: {extra('export')}") from None
    if arguments.pretrained == RANDOM:
        print(
            "WARNING: random weights. This model finds nothing; it is for tests and benchmarks.",
            file=sys.stderr,
        )
    checkpoint = load_checkpoint(arguments.model, arguments.pretrained, arguments.preprocessing_of)
    print(f"{checkpoint.name}, {checkpoint.pretrained}")
    for line in checkpoint.told:
        print(f"  {line}")
    card = export(checkpoint, arguments.output, arguments.precision)
    measured = card.verification
    print(
        f"verified on {measured.texts} texts and {measured.images} images: largest difference "
        f"{measured.max_text_difference:.1e} and {measured.max_image_difference:.1e}"
    )
    for line in _precision(card):
        print(line)
    print(f"{arguments.output} is ready")
    return 0


def _precision(card: ModelCard) -> Iterator[str]:
    """What was measured of the text encoder's precisions, and which of them was kept."""
    plain, found = card.verification.int8_overlap_at_10, card.verification.overlap_at_10
    if plain is None or found is None or card.text_speed is None:
        return
    kept = f"{card.text_precision} is kept"
    if card.text_precision == "int8" and found == plain:
        yield f"int8 finds {plain:.1%} of what fp32 finds: {kept}"
    else:
        yield f"int8 finds {plain:.1%} of what fp32 finds"
        if card.text_precision != "fp32":
            kept += ", its mean error taken back"
        if card.text_precision == "mixed":
            kept += f", with {finer_parts(card)}"
        yield f"{kept}: it finds {found:.1%}"
    yield speed(card.text_speed)
