"""``python -m build.demo_model {stamps,train}``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from build.errors import BuildError

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run one step of the recipe and return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m build.demo_model", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    stamps = steps.add_parser("stamps", help="write the public evaluation sets")
    stamps.add_argument("--output", type=Path, required=True, metavar="DIR")
    stamps.add_argument("--cache", type=Path, metavar="DIR", help="where packages are unpacked")
    train = steps.add_parser("train", help="train the demo model from nothing and export it")
    train.add_argument("--work", type=Path, required=True, metavar="DIR")
    train.add_argument("--gallery", type=Path, default=_ROOT / "demo" / "gallery", metavar="DIR")
    train.add_argument("--output", type=Path, default=_ROOT / "demo" / "model", metavar="DIR")
    train.add_argument(
        "--variants",
        type=Path,
        metavar="DIR",
        help="write there, too, what the model card compares it with: text in fp32, ConSE alone",
    )
    arguments = parser.parse_args()
    try:
        if arguments.step == "stamps":
            from build.demo_model.stamps import write_evaluation_sets

            cache = arguments.cache or arguments.output / "cache"
            for name, count in write_evaluation_sets(arguments.output, cache).items():
                print(f"{arguments.output / name}: {count} images")
        else:
            from build.demo_model.package import export_package, export_variants
            from build.demo_model.train import train as train_model

            model, tokenizer = train_model(arguments.work, arguments.gallery)
            export_package(model, tokenizer, arguments.output)
            if arguments.variants:
                export_variants(model, tokenizer, arguments.variants)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
