"""Captions written by an image-to-text model, for images that came without one.

The only place, besides the export and the demo model's recipe, that imports PyTorch.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from build.errors import BuildError
from build.journal import Journal
from build.progress import Progress
from models.images import ImageError, read, read_content
from models.installation import extra
from models.manifest import CaptionerFacts, record_file
from models.modes import on_white

_BATCH = 8
_MAX_TOKENS = 30
# Models of this kind see 224 to 448 pixels; a larger JPEG is decoded at a fraction of its size.
_SIDE = 448
# To be raised when the same model is to say something else of the same image.
_ASKING = 1
# The same weights for other frameworks, and what says nothing to a program.
_NO_PART = ["*.h5", "*.msgpack", "*.onnx", "*.ot", "*.tflite", "*.md", ".*"]


@dataclass(frozen=True)
class CaptionModel:
    """Where an image-to-text model is, and what the bundle's manifest says of it."""

    folder: Path
    facts: CaptionerFacts


def find_captioner(model: str) -> CaptionModel:
    """An image-to-text model by its folder, or by its name on the Hugging Face hub.

    Quick but for a first download: whether it can describe images shows later.

    Raises:
        BuildError: it is in neither place, or the packages that run it are missing.
    """
    try:
        folder = _locate(model)
    except ImportError as error:
        raise _missing_package(error) from None
    if not (folder / "config.json").is_file():
        raise BuildError(f"--captioner: {folder} holds no model: it has no config.json.")
    # Of a folder the name only: bundles travel, and tell nobody where they were made.
    name = folder.resolve().name if Path(model).expanduser().is_dir() else model
    return CaptionModel(folder, CaptionerFacts(name=name, sha256=_identity(folder)))


class Captioner:
    """Describes images in a sentence each.

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
            raise _missing_package(error) from None
        self._torch = torch
        self._folder = folder
        # Harmless: how far the weights are read. Captioning, which takes longer, shows its own.
        transformers.logging.disable_progress_bar()
        try:
            self._processor: Any = transformers.AutoImageProcessor.from_pretrained(folder)
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
            # Images come as float32, whatever the weights are kept as.
            self._model, loading = transformers.AutoModelForImageTextToText.from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True
            )
        except Exception as error:
            # Each file format and each model class has errors of its own.
            raise BuildError(f"{folder} holds no image-to-text model: {_first(error)}") from None
        # Without its files transformers makes a tokenizer of no words, and says nothing.
        if len(self._tokenizer) <= len(self._tokenizer.all_special_ids):
            raise BuildError(f"{folder} holds no image-to-text model: its tokenizer has no words.")
        # A vision tower's pooler is not asked, and many checkpoints come without it.
        lacking = sorted(name for name in loading["missing_keys"] if "pooler" not in name)
        if lacking:
            print(
                f"warning: {folder} lacks {len(lacking)} of its model's weights, like "
                f"{lacking[0]}: what it says of images may make no sense",
                file=sys.stderr,
            )
        self._model.eval()

    def describe(self, images: Sequence[Image.Image]) -> list[str]:
        """A sentence for each image, of at most a batch: the likeliest, without chance.

        Raises:
            BuildError: the model cannot, for instance because it answers questions only.
        """
        # Sums are rounded otherwise in a batch of another size: with all of one size a
        # sentence does not depend on what was described before a build was stopped.
        full = [*images, *[images[-1]] * (_BATCH - len(images))]
        try:
            pixels = self._processor(images=full, return_tensors="pt").pixel_values
            with self._torch.inference_mode():
                written = self._model.generate(
                    pixel_values=pixels, max_new_tokens=_MAX_TOKENS, num_beams=1, do_sample=False
                )
            texts = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        except Exception as error:
            raise BuildError(
                f"{self._folder}: {type(self._model).__name__} cannot describe images: "
                f"{_first(error)}. Take a model that needs no prompt, like ViT-GPT2 or BLIP."
            ) from error
        return [_sentence(text) for text in texts[: len(images)]]


def write_captions(
    root: Path,
    paths: Sequence[str],
    journal: Journal,
    model: CaptionModel,
    content_of: Callable[[Path], bytes] = read_content,
) -> dict[str, str]:
    """What the model says of each image, by path; stopped and called again, it goes on.

    An image that has changed since it was embedded, or that the model has no word for, has
    no caption.

    Args:
        root: the tree of the images.
        paths: the images, which the journal knows.
        journal: where captions are kept, by the image's content.
        model: an image-to-text model.
        content_of: gives the bytes of the image at a path.

    Raises:
        BuildError: the model is of another kind.
    """
    captioner = model.facts.sha256
    contents = {path: content for path in paths if (content := journal.get(path).sha256)}
    known = journal.captions(captioner)
    # The same image under several paths is described once.
    of_content = {content: path for path, content in contents.items()}
    missing = [content for content in of_content if content not in known]
    if missing:
        captions = Captioner(model.folder)
        with Progress("captioning", len(of_content), len(of_content) - len(missing)) as progress:
            for batch in _batches(missing):
                images = {}
                for content in batch:
                    image = _image(root / of_content[content], content_of, content)
                    if image is not None:
                        images[content] = image
                texts = captions.describe(list(images.values())) if images else []
                for content, text in zip(images, texts, strict=True):
                    known[content] = text
                    journal.put_caption(content, captioner, text)
                journal.commit()
                for _ in batch:
                    progress.advance()
    return {path: known[content] for path, content in contents.items() if known.get(content)}


def _locate(model: str) -> Path:
    """The folder of a model, fetched from the hub if need be."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or model.startswith("."):
        raise BuildError(f"--captioner: there is no folder {folder}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, ignore_patterns=_NO_PART))
    except Exception as error:
        # The hub's own errors, those of its HTTP library and of the disk.
        raise BuildError(
            f"--captioner: {model} is no folder, and could not be had from the hub "
            f"({_first(error)}). Give the folder of a model that is on this machine."
        ) from None


def _identity(folder: Path) -> str:
    """What a caption depends on besides the image: the model's files, as a hash."""
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in _NO_PART)
    )
    parts = [f"{path.name} {record_file(path).sha256}" for path in files]
    return hashlib.sha256("\n".join([*parts, str(_ASKING)]).encode()).hexdigest()


def _batches(contents: Sequence[bytes]) -> Iterator[list[bytes]]:
    left = iter(contents)
    while batch := list(islice(left, _BATCH)):
        yield batch


def _image(path: Path, content_of: Callable[[Path], bytes], sha256: bytes) -> Image.Image | None:
    """The image as the model is to see it; None where the file is another by now."""
    try:
        content = content_of(path)
        if hashlib.sha256(content).digest() != sha256:
            return None
        return on_white(read(content, reduce_to=_SIDE).image)
    except ImageError:
        return None


def _missing_package(error: ImportError) -> BuildError:
    return BuildError(
        f"--captioner needs packages that are not here ({error}): install them with "
        f"{extra('caption')}"
    )


def _first(error: Exception) -> str:
    """The first line of what an error says, else its kind."""
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]
