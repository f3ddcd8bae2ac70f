"""Captions written by an image-to-text model, for pictures that came without one.

The only place, besides the export and the demo model's recipe, that imports PyTorch.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from build.errors import BuildError
from build.journal import Journal
from build.progress import Progress
from models.manifest import record_file
from models.pictures import PictureError, read

_INSTALL = "pip install -r requirements/caption.txt"
_BATCH = 8
_COMMIT_SECONDS = 1.0
_MAX_TOKENS = 30
# Models of this kind see 224 to 448 pixels; a larger JPEG is decoded at a fraction of its size.
_SIDE = 448
# The same weights for other frameworks.
_NOT_FOR_TORCH = ["*.h5", "*.msgpack", "*.onnx", "*.ot", "*.tflite"]


class Captioner:
    """Describes pictures in a sentence each.

    Args:
        folder: a model as transformers saves it, with its image processor and tokenizer:
            ViT-GPT2 (``VisionEncoderDecoderModel``), BLIP, GIT and their kin.

    Raises:
        BuildError: transformers is missing, or the folder holds no such model.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise BuildError(f"--captioner needs {error.name}: {_INSTALL}") from None
        self._torch = torch
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        try:
            self._processor: Any = transformers.AutoImageProcessor.from_pretrained(folder)
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
            self._model: Any = transformers.AutoModelForImageTextToText.from_pretrained(folder)
        except (OSError, ValueError, KeyError, ImportError) as error:
            first = str(error).strip().partition("\n")[0]
            raise BuildError(f"{folder} holds no image-to-text model: {first}") from None
        self._model.eval()

    def describe(self, pictures: Sequence[Image.Image]) -> list[str]:
        """A sentence for each picture: the likeliest, without chance."""
        pixels = self._processor(images=list(pictures), return_tensors="pt").pixel_values
        with self._torch.inference_mode():
            written = self._model.generate(
                pixel_values=pixels, max_new_tokens=_MAX_TOKENS, num_beams=1, do_sample=False
            )
        texts = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return [_sentence(text) for text in texts]


def write_captions(
    root: Path, paths: Sequence[str], journal: Journal, model: str
) -> dict[str, str]:
    """What the model says of each picture, by path; stopped and called again, it goes on.

    A picture that can no longer be read has no caption.

    Args:
        root: the tree of the pictures.
        paths: the pictures, which the journal knows.
        journal: where captions are kept, by the picture's content.
        model: the folder of an image-to-text model, or its name on the Hugging Face hub.

    Raises:
        BuildError: there is no such model, or it is of another kind.
    """
    folder = _locate(model)
    captioner = _identity(folder)
    contents = {path: journal.get(path).sha256 for path in paths}
    known = journal.captions(captioner)
    missing = [path for path, content in contents.items() if content not in known]
    if missing:
        with Progress("captioning", len(paths), len(paths) - len(missing)) as progress:
            speaker = Captioner(folder)
            committed = time.monotonic()
            for batch in _batches(missing):
                pictures = {}
                for path in batch:
                    try:
                        pictures[path] = _seen(root / path)
                    except PictureError:
                        continue  # has changed since it was embedded
                for path, text in zip(
                    pictures,
                    speaker.describe(list(pictures.values())) if pictures else [],
                    strict=True,
                ):
                    content = contents[path]
                    if content is not None:
                        known[content] = text
                        journal.put_caption(content, captioner, text)
                for _ in batch:
                    progress.advance()
                if time.monotonic() - committed > _COMMIT_SECONDS:
                    journal.commit()
                    committed = time.monotonic()
        journal.commit()
    return {
        path: known[content]
        for path, content in contents.items()
        if content is not None and known.get(content)
    }


def _locate(model: str) -> Path:
    """The folder of a model, fetched from the hub if need be."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or model.startswith("."):
        raise BuildError(f"--captioner: there is no folder {folder}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise BuildError(f"--captioner needs {error.name}: {_INSTALL}") from None
    try:
        return Path(snapshot_download(model, ignore_patterns=_NOT_FOR_TORCH))
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise BuildError(
            f"--captioner: {model} is no folder, and could not be had from the hub ({first}). "
            "Give the folder of a model that is on this machine."
        ) from None


def _identity(folder: Path) -> str:
    """What a caption depends on besides the picture: every file of the model, as a hash."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    parts = [f"{path.name} {record_file(path).sha256}" for path in files]
    return hashlib.sha256("\n".join([*parts, str(_MAX_TOKENS)]).encode()).hexdigest()


def _batches(paths: Sequence[str]) -> Iterator[list[str]]:
    left = iter(paths)
    while batch := list(islice(left, _BATCH)):
        yield batch


def _seen(path: Path) -> Image.Image:
    """The picture as the model is to see it: upright, without transparency."""
    image = read(path, reduce_to=_SIDE).image
    if image.mode != "RGBA":
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]
