"""Images a second: ``build.embed`` beside the loop of the script that it replaces.

Both in fp32, on the same photographs.  Ours also hashes the files and writes thumbnails
and a journal.

    python -m benchmarks.building {torch,sightline} MODEL THREADS LARGE SMALL
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import MODEL, Corpus
from benchmarks.figures import medians
from benchmarks.photographs import LARGE, SMALL, write_photographs
from benchmarks.workers import Figures, answer, interleave

_COUNTS = {"12 MP": (LARGE, 40), "640 px": (SMALL, 150)}
_QUICK_COUNT = 2


def measure(corpus: Corpus, cores: Sequence[int], rounds: int, quick: bool) -> dict[str, Any]:
    """Images a second of both by size, and what decoding at reduced scale changes."""
    folders = {}
    for name, (size, count) in _COUNTS.items():
        number = _QUICK_COUNT if quick else count
        folder = corpus.folder / "photographs" / f"{size[0]}x{size[1]}-{number}"
        folders[name] = write_photographs(folder, size, number)
    images = [str(folder) for folder in folders.values()]
    threads = str(len(cores))
    arguments = {
        "script": ["torch", str(corpus.weights), threads, *images],
        "sightline": ["sightline", str(corpus.fp32), threads, *images],
    }
    taken = interleave(__name__, arguments, cores, rounds)
    return {
        **{
            name: {"median": medians(some), "rounds": some, "unit": "images per second"}
            for name, some in taken.items()
        },
        "reduced_decoding": _reduced_decoding(corpus.fp32, folders["12 MP"]),
        "megabytes_an_image": {name: _mean_size(folder) for name, folder in folders.items()},
    }


def _reduced_decoding(package: Path, folder: Path) -> dict[str, float]:
    """The cosine of vectors of images decoded at reduced scale and of the same in full."""
    from models.image_encoder import ImageEncoder
    from models.images import decode
    from models.manifest import ModelCard
    from models.preprocessing import preprocess, reduced_side

    card = ModelCard.read(package)
    encoder = ImageEncoder(package, card)

    def vectors(reduce_to: int | None) -> np.ndarray[Any, np.dtype[np.float32]]:
        files = sorted(folder.iterdir())[:8]
        images = [decode(file, reduce_to=reduce_to) for file in files]
        pixels = [preprocess(image, card.preprocessing) for image in images]
        return encoder.encode(np.stack(pixels))

    cosines = (vectors(None) * vectors(reduced_side(card.preprocessing))).sum(axis=1)
    return {"least_cosine": float(cosines.min()), "mean_cosine": float(cosines.mean())}


def _mean_size(folder: Path) -> float:
    sizes = [file.stat().st_size for file in folder.iterdir()]
    return sum(sizes) / len(sizes) / (1 << 20)


def main() -> None:
    """Load the model, then embed both folders for each line of input."""
    kind, model, threads, *images = sys.argv[1:]
    run = _LOADERS[kind](Path(model), int(threads))
    folders = dict(zip(_COUNTS, map(Path, images), strict=True))

    def measure_round() -> Figures:
        rates = {}
        for name, folder in folders.items():
            began = time.perf_counter()
            count = run(folder)
            rates[name] = count / (time.perf_counter() - began)
        return rates

    # Brings the files into the page cache, too.
    measure_round()
    answer(measure_round)


def _torch(weights: Path, threads: int) -> Callable[[Path], int]:
    import open_clip
    import torch
    from PIL import Image

    torch.set_num_threads(threads)
    model, _, transform = open_clip.create_model_and_transforms(MODEL, pretrained=None)
    model.load_state_dict(torch.load(weights, weights_only=True))
    model.eval()

    def run(folder: Path) -> int:
        files = sorted(folder.iterdir())
        for file in files:
            with torch.no_grad():
                features = model.encode_image(transform(Image.open(file)).unsqueeze(0))
                torch.nn.functional.normalize(features, dim=-1).numpy()
        return len(files)

    return run


def _sightline(package: Path, threads: int) -> Callable[[Path], int]:
    from build.embed import embed, encoder_identity
    from build.journal import Journal
    from build.scan import scan
    from models.image_encoder import ImageEncoder
    from models.manifest import ModelCard

    card = ModelCard.read(package)
    encoder = ImageEncoder(package, card)

    def run(folder: Path) -> int:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "journal.sqlite"
            with Journal(path, encoder_identity(card), folder) as journal:
                found = scan(folder)
                embed(folder, found.images, found.time_ns, journal, card, encoder, threads)
        return len(found.images)

    return run


_LOADERS = {"torch": _torch, "sightline": _sightline}


if __name__ == "__main__":
    main()
