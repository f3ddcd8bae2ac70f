"""The text that can be read in images: signs, labels, posters, pages."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from build.errors import BuildError
from build.journal import Journal
from build.metadata.values import text as one_line
from build.progress import Progress
from models.images import ImageError, read, read_content
from models.installation import extra
from models.manifest import OcrFacts
from models.modes import on_white

_PACKAGE = "rapidocr"
# To be raised when the same images are to be read otherwise.
_READING = 1
# Letters are read in an image of up to this size, where those of 12 pixels are legible, and
# looked for in one of that size: in a larger one it takes longer, and fewer are found.
_SIDE = 2000
_SIDE_TO_FIND = 960
# From 0 to 1: what is surer is right as a rule, what is less sure is not.
_SURE = 0.8
# A letter or a digit alone is a wheel or a window more often than a text.
_LETTERS = 2


def find_reader() -> OcrFacts:
    """What would read images here; quick, so that what is missing shows at once.

    Raises:
        BuildError: nothing would.
    """
    try:
        return OcrFacts(name=_PACKAGE, version=version(_PACKAGE))
    except PackageNotFoundError as error:
        raise _missing_package(error) from None


def identity(facts: OcrFacts) -> str:
    """What a text depends on besides the image."""
    return f"ocr {facts.name} {facts.version} {_READING}"


class Reader:
    """Reads what stands in images.

    Args:
        threads: of an image's computation.

    Raises:
        BuildError: the package that does it is missing, or has no models with it.
    """

    def __init__(self, threads: int) -> None:
        models = {
            # By their paths, or it would fetch what it does not find in its place.
            "Det.model_path": _model("det"),
            "Cls.model_path": _model("cls"),
            "Rec.model_path": _model("rec"),
        }
        try:
            from rapidocr import RapidOCR
        except ImportError as error:
            raise _missing_package(error) from None
        self._read: Any = RapidOCR(
            params=models
            | {
                # Harmless: which models it has, and of each image without text that it has none.
                "Global.log_level": "error",
                # Nor is a strip of a few pixels made larger, which could fill any memory.
                # By itself it makes a strip of a few pixels 30 wide, and many thousands long.
                "Global.min_side_len": 1,
                "Global.text_score": _SURE,
                # By itself it looks for letters in what is small at several times its size, and
                # lets those next to each other run together: it then finds fewer.
                "Det.limit_type": "max",
                "Det.limit_side_len": _SIDE_TO_FIND,
                "Det.use_dilation": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, image: Image.Image) -> str:
        """The text in an image, ``RGB``: its lines from the top down; empty without any."""
        blue_first = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
        found = self._read(blue_first)
        if found.txts is None or not any(map(_is_text, found.txts)):
            return ""
        return one_line(" ".join(in_reading_order(found.boxes, found.txts))) or ""


def in_reading_order(boxes: NDArray[np.float32], texts: Sequence[str]) -> list[str]:
    """The texts line by line from the top, each line from the left.

    Args:
        boxes: ``[n, 4, 2]``, where each text stands: x and y of its corners, one after another.
        texts: what stands there.
    """
    lines: list[list[int]] = []
    middles = boxes[:, :, 1].mean(axis=1)
    # Of what is askew, too, the shorter edge is how high its letters are.
    edges = np.linalg.norm(boxes - np.roll(boxes, 1, axis=1), axis=2)
    halves = edges.min(axis=1) / 2
    for one in np.argsort(middles, kind="stable").tolist():
        if lines and middles[one] - middles[lines[-1][0]] < halves[one]:
            lines[-1].append(one)
        else:
            lines.append([one])
    lefts = boxes[:, :, 0].min(axis=1)
    return [texts[one] for line in lines for one in sorted(line, key=lambda each: lefts[each])]


def read_texts(
    root: Path,
    paths: Sequence[str],
    journal: Journal,
    facts: OcrFacts,
    threads: int,
    content_of: Callable[[Path], bytes] = read_content,
) -> dict[str, str]:
    """The text in each image that has one, by path; stopped and called again, it goes on.

    An image that has changed since it was embedded has no text.

    Args:
        root: the tree of the images.
        paths: the images, which the journal knows.
        journal: where texts are kept, by the image's content.
        facts: what reads them.
        threads: of the computation.
        content_of: gives the bytes of the image at a path.

    Raises:
        BuildError: it cannot be started.
    """
    by = identity(facts)
    contents = {path: content for path in paths if (content := journal.get(path).sha256)}
    known = journal.captions(by)
    # The same image under several paths is read once.
    of_content = {content: path for path, content in contents.items()}
    missing = [content for content in of_content if content not in known]
    if missing:
        reader = Reader(threads)
        with Progress("reading texts", len(of_content), len(of_content) - len(missing)) as progress:
            for content in missing:
                text = _text(reader, root / of_content[content], content, content_of)
                if text is not None:
                    known[content] = text
                    journal.put_caption(content, by, text)
                    journal.commit()
                progress.advance()
    return {path: known[content] for path, content in contents.items() if known.get(content)}


def _text(
    reader: Reader, path: Path, sha256: bytes, content_of: Callable[[Path], bytes]
) -> str | None:
    """The text in an image; None where the file is another by now, or it cannot be said."""
    try:
        content = content_of(path)
        if hashlib.sha256(content).digest() != sha256:
            return None
        # A large JPEG is decoded at a fraction of its size, which leaves its sides twice as long.
        image = on_white(read(content, reduce_to=_SIDE // 2).image)
        image.thumbnail((_SIDE, _SIDE))
        return reader.read(image)
    except ImageError:
        return None
    except Exception as error:
        # OpenCV's, ONNX Runtime's and its own have nothing in common.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        print(f"warning: {path}: its text cannot be read ({reason[-1]})", file=sys.stderr)
        return None


def _is_text(line: str) -> bool:
    return sum(map(str.isalnum, line)) >= _LETTERS


def _model(task: str) -> str:
    """The path of a model that came with the package."""
    spec = find_spec(_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder, "models").glob(f"*_{task}_*.onnx")):
            return str(path)
    raise _missing_package(f"{_PACKAGE} has no model *_{task}_*.onnx")


def _missing_package(error: object) -> BuildError:
    return BuildError(
        f"--ocr needs a package that is not here ({error}): install it with {extra('ocr')}"
    )
