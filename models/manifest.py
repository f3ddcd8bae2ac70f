"""What a model package and a bundle say of themselves.

A *model package* is one open_clip checkpoint made ready to serve: two ONNX
graphs, a tokenizer and a ``model.json`` (:class:`ModelCard`).  A *bundle* is a
model package joined with the images that it has embedded: an index, the items
and a ``manifest.json`` (:class:`Manifest`).  Both name every other file in their
folder with its size and SHA-256, so that a reader can tell a whole one from a
damaged one before it trusts a byte.

    >>> manifest = Manifest.read(Path("bundles/demo"))
    >>> manifest.model.name, manifest.images
    ('sightline-demo', 612)
    >>> verify_files(Path("bundles/demo"), manifest.files)
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from models.installation import command

MODEL_CARD = "model.json"
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
TEXT_ENCODER = "text_encoder.onnx"
IMAGE_ENCODER = "image_encoder.onnx"
INDEX = "index.faiss"
EMBEDDINGS = "embeddings.npy"
ROW_CHECKSUMS = "embeddings.checksums.npy"
LOOKS = "looks.bin"
ITEMS = "items.sqlite"
THUMBNAILS = "thumbnails.sqlite"
# Of a bundle that was changed since it was written: see models/rows.py.
ROWS = "rows.npy"
CHANGED_EMBEDDINGS = "embeddings.changed.npy"
CHANGED_THUMBNAILS = "thumbnails.changed.sqlite"
# What a changed bundle has beside the rest: all of it or nothing.
CHANGED = (ROWS, CHANGED_EMBEDDINGS, CHANGED_THUMBNAILS)
# What the build measures an index of codes with: see models/tuning.py.
TUNING = "tuning.npz"
# What a bundle is called in a model store, whatever its folder was called.
STORED_BUNDLE = "sightline-bundle"

_HASH_CHUNK = 1 << 20
_NO_CHECKSUM = "0" * 64
_OWN_CHECKSUM = re.compile(rb'"seal": "([0-9a-f]{64})"\n}\n\Z')


class DamagedError(Exception):
    """A package or a bundle is missing, incomplete, altered or of another format.

    The message names the file and says what to do.
    """


class _Document(BaseModel):
    """A frozen JSON document in a folder, whose unknown fields are refused.

    On disk its last field, ``seal``, is the SHA-256 of the file's own bytes with
    the checksum's digits set to zero: a document cannot list its own hash otherwise,
    and one altered byte of it has to show like that of any other file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)
    filename: ClassVar[str]
    # What to do about a document of another release.
    made_anew_by: ClassVar[str]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the document from ``folder``.

        Raises:
            DamagedError: the file is not there, is no JSON, or lacks a field.
        """
        path = folder / cls.filename
        try:
            written = path.read_bytes()
        except OSError as error:
            raise cannot_be_read(path, error) from None
        return cls.parse(written, path)

    @classmethod
    def parse(cls, written: bytes, path: Path) -> Self:
        """The document that a file holds; ``path`` is only named in messages.

        Raises:
            DamagedError: it is no JSON, altered, of another format, or lacks a field.
        """
        body, found, checksum = _split_checksum(written)
        if found and hashlib.sha256(body).hexdigest() != checksum:
            raise DamagedError(
                f"{path} is damaged: it does not match its own checksum. Build it again."
            )
        try:
            document = json.loads(body)
            if not found or not isinstance(document, dict):
                raise DamagedError(
                    f"{path} has no checksum of its own: it was altered. Build it again."
                )
            del document["seal"]
            expected = cls.model_fields["format"].default
            if document.get("format") != expected:
                raise DamagedError(
                    f"{path} is of the format {document.get('format')!r}, and this release reads "
                    f"{expected!r}. Build it again."
                )
            return cls.model_validate(document, by_alias=True, by_name=False)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DamagedError(f"{path} is no JSON: {error}. Build it again.") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            if first["type"] == "missing":
                raise DamagedError(
                    f"{path} has no {where}: another release of Sightline wrote it. "
                    f"{cls.made_anew_by}"
                ) from None
            raise DamagedError(
                f"{path} is damaged: {where}: {first['msg']}. Build it again."
            ) from None

    def write(self, folder: Path) -> None:
        """Write the document into ``folder`` as indented JSON, with its own checksum."""
        fields = self.model_dump(mode="json", by_alias=True) | {"seal": _NO_CHECKSUM}
        body = (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()
        checksum = hashlib.sha256(body).hexdigest()
        head, _, tail = body.rpartition(_NO_CHECKSUM.encode())
        (folder / self.filename).write_bytes(head + checksum.encode() + tail)


def _split_checksum(written: bytes) -> tuple[bytes, bool, str]:
    """The bytes with zeros for their checksum, whether they have one, and the checksum."""
    match = _OWN_CHECKSUM.search(written)
    if match is None:
        return written, False, _NO_CHECKSUM
    body = written[: match.start(1)] + _NO_CHECKSUM.encode() + written[match.end(1) :]
    return body, True, match[1].decode()


def _plain(name: str) -> str:
    if name in ("", ".", "..") or set(name) & {"/", "\\", "\0"}:
        raise ValueError(f"{name!r} is no file of the bundle's own")
    return name


FileName = Annotated[str, AfterValidator(_plain)]


class FileRecord(BaseModel):
    """The identity of one file: its size in bytes and SHA-256 in hex."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size: int
    sha256: str


class Preprocessing(BaseModel):
    """How a decoded image becomes ``pixel_values``; the names are open_clip's.

    ``resize_mode`` is open_clip's: ``shortest`` scales the shorter side to the
    target and crops the centre, ``longest`` scales the longer side and pads with
    ``fill_color`` (0..255), ``squash`` ignores the aspect ratio.
    ``trim_transparent`` first cuts a fully transparent border away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    fill_color: int = 0
    trim_transparent: bool = False


class TextTokens(BaseModel):
    """How a text becomes ``input_ids``.

    ``cleaning`` is what open_clip does to the text before its byte-pair or
    unigram model sees it: ``lower`` (CLIP: ftfy, HTML unescaped twice, white
    space collapsed, lower case), ``whitespace`` or ``canonicalize`` (SigLIP).
    ``start_id`` is None where the tokenizer puts no start token.  ``zeroed_id`` is a
    token that open_clip replaces by 0 (CLIPA: BERT's separator), None where there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    cleaning: Literal["lower", "whitespace", "canonicalize"]
    start_id: int | None
    end_id: int | None
    pad_id: int
    zeroed_id: int | None = None


class Verification(BaseModel):
    """What the export measured against open_clip before it wrote the package.

    The differences are the largest absolute ones between the ONNX fp32 outputs
    and open_clip's, over ``texts`` texts and ``images`` images.
    ``overlap_at_10`` is the mean share of the ten nearest images that the text
    encoder has in common with an fp32 one, ``int8_overlap_at_10`` the share that plain
    int8 throughout has, before its mean error is taken back; None where int8 was not
    tried.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)
    texts: int
    images: int = Field(validation_alias="pictures", serialization_alias="pictures")
    max_text_difference: float
    max_image_difference: float
    int8_overlap_at_10: float | None = None
    overlap_at_10: float | None = None


class TextSpeed(BaseModel):
    """How fast the text encoder was where it was exported.

    ``queries_per_second`` has a median for ``fp32``, ``int8`` and what was kept of them or
    of both (``mixed``), ``batch`` queries at a time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    processor: str
    threads: int
    batch: int
    queries_per_second: dict[str, int]


class GoldenText(BaseModel):
    """A text and its embedding, little-endian float32 ``[dim]`` in base64."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str
    embedding: str


class Tolerance(BaseModel):
    """By how much a number of an embedding may differ from the golden one, and why so much."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    largest: float = Field(gt=0, lt=1)
    because: str


class Golden(BaseModel):
    """What the model's makers get for some texts and one image: see :mod:`models.golden`.

    ``computed_by`` names the software, which is never the one that serves; ``image`` is
    the embedding of :mod:`models.golden_image`, stored like a text's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)
    computed_by: str
    texts: list[GoldenText] = Field(min_length=1)
    text_tolerance: Tolerance
    image: str = Field(validation_alias="picture", serialization_alias="picture")
    image_tolerance: Tolerance = Field(
        validation_alias="picture_tolerance", serialization_alias="picture_tolerance"
    )


class ModelCard(_Document):
    """``model.json``: what a model package is, and the identity of its files.

    ``any_length`` says that a text's vector is the same without the padding after it, so
    that short texts need not be padded to the context length.  ``activation`` is that of
    open_clip's own transformer blocks; None where the model has none of them.

    A ``mixed`` text encoder is int8 but for ``text_finer_parts``: the token table
    (``tokens``) and linears of its blocks, counted from 0 (``0.qkv``, ``0.out``, ``0.up``,
    ``0.down``), each with what it is in place of int8.  ``text_speed`` is None where int8
    was not tried.
    """

    filename: ClassVar[str] = MODEL_CARD
    made_anew_by: ClassVar[str] = f"Export the model again: {command('model')}."

    format: Literal["sightline-model/1"] = "sightline-model/1"
    name: str
    pretrained: str
    licence: str | None = None
    description: str | None = None
    embedding_dim: int
    context_length: int
    any_length: bool
    activation: Literal["gelu", "gelu_tanh", "quick_gelu"] | None = None
    text_precision: Literal["fp32", "int8", "mixed"]
    text_finer_parts: dict[str, Literal["fp32", "int16"]] = Field(default_factory=dict)
    text_speed: TextSpeed | None = None
    image_precision: Literal["fp32", "int8"] = "fp32"
    tokens: TextTokens
    preprocessing: Preprocessing
    verification: Verification
    golden: Golden
    versions: dict[str, str]
    created: str
    files: dict[FileName, FileRecord] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _golden_embeddings_are_as_wide_as_the_model_s(self) -> Self:
        for embedding in (*(each.embedding for each in self.golden.texts), self.golden.image):
            try:
                size = len(base64.b64decode(embedding, validate=True))
            except binascii.Error:
                raise ValueError("a golden embedding is not base64") from None
            if size != 4 * self.embedding_dim:
                raise ValueError(f"a golden embedding is not {self.embedding_dim} wide")
        return self


class IndexFacts(BaseModel):
    """What kind of index the bundle has, and how well it finds.

    ``recall_at_10`` is the share of the true ten nearest images that the index
    returns for *text* queries (the modality gap makes image queries look better
    than they are); 1.0 for an exact index.  ``search_parameters`` go with every
    call, the index itself is never altered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str
    metric: Literal["ip", "l2"]
    search_parameters: dict[str, int] = Field(default_factory=dict)
    recall_at_10: float = 1.0
    tuned_with: str = "exact: nothing to tune"


class CaptionerFacts(BaseModel):
    """Which image-to-text model described the images that came without a caption.

    ``name`` is its name on the hub, or its folder's without the path; ``sha256`` is made
    of its files, so that other weights under the same name show.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    sha256: str


class OcrFacts(BaseModel):
    """Which package read the text in the images, with the models that came with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    version: str


class SubjectFacts(BaseModel):
    """What texts have in common with the average image of a bundle.

    Of the names of some thousand things, each behind an article: ``usual`` is their mean similarity
    to it, and ``most`` that of the name that lies nearest (:mod:`models.relevance`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    usual: float
    most: float


class Skipped(BaseModel):
    """An image that could not be embedded: its path in the tree, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    reason: str
    detail: str


class Manifest(_Document):
    """``manifest.json``: what a bundle is, and the identity of its files.

    ``mean`` is the mean of the image vectors, ``[dim]``: what a query's similarity to all
    images is measured with, and ``floor`` the similarity below which nothing is a match, None
    where that is not known; ``subject`` is for queries that the whole bundle answers, None in a
    bundle that is older than this (:mod:`models.relevance`).  ``examples`` are texts that find
    something in it.  ``made_of`` is a checksum of all that
    the bundle was made of, empty where that is not known, and ``form`` says in which way: the build
    looks at them, nobody else.
    """

    filename: ClassVar[str] = MANIFEST
    made_anew_by: ClassVar[str] = (
        f"Export its model again ({command('model')}), then build the bundle again."
    )

    format: Literal["sightline-bundle/2"] = "sightline-bundle/2"
    model: ModelCard
    index: IndexFacts
    images: int = Field(validation_alias="pictures", serialization_alias="pictures")
    mean: list[float]
    floor: float | None
    subject: SubjectFacts | None = None
    examples: list[str] = Field(default_factory=list)
    skipped: list[Skipped] = Field(default_factory=list)
    image_root: str | None = Field(
        None, validation_alias="picture_root", serialization_alias="picture_root"
    )
    captioner: CaptionerFacts | None = None
    ocr: OcrFacts | None = None
    versions: dict[str, str]
    made_of: str
    form: int = 0
    created: str
    files: dict[FileName, FileRecord] = Field(default_factory=dict)

    @property
    def version(self) -> str:
        """16 hex digits that another bundle does not have."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:16]

    def public(self) -> dict[str, Any]:
        """The part that ``GET /info`` shows: no local paths, no skip list, no embeddings."""
        facts = self.model_dump(
            mode="json",
            exclude={
                "mean": True,
                "subject": True,
                "skipped": True,
                "image_root": True,
                "made_of": True,
                "form": True,
                "model": {"golden"},
            },
        )
        return facts | {"skipped": len(self.skipped)}


def record_file(path: Path) -> FileRecord:
    """Size and SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_HASH_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return FileRecord(size=size, sha256=digest.hexdigest())


def record_files(folder: Path, names: Iterable[str]) -> dict[str, FileRecord]:
    """The records of several files of a folder, by name."""
    return {name: record_file(folder / name) for name in names}


def compare(path: Path, expected: FileRecord, size: int, sha256: str | None = None) -> None:
    """Check a file's size, and its SHA-256 where that is known, against what was written.

    Raises:
        DamagedError: one of them differs.
    """
    if size != expected.size:
        raise DamagedError(f"{path} is damaged: {size} bytes, not {expected.size}. Build it again.")
    if sha256 is not None and sha256 != expected.sha256:
        raise DamagedError(
            f"{path} is damaged: its SHA-256 is {sha256[:12]}…, not {expected.sha256[:12]}…. "
            "Build it again."
        )


def cannot_be_read(path: Path, error: OSError) -> DamagedError:
    """What to say of a file that the system does not give."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DamagedError(
            f"{path} does not exist: {path.parent} is no bundle or package, or it was not "
            "written to the end. Build it again."
        )
    if error.errno == errno.ELOOP:
        return DamagedError(f"{path} is a link: a bundle holds its own files. Copy them there.")
    if isinstance(error, PermissionError):
        return DamagedError(
            f"{path} cannot be read ({error.strerror}): give the process's user the right to."
        )
    return DamagedError(f"{path} cannot be read ({error.strerror}). Build it again.")


def verify_files(folder: Path, files: Mapping[str, FileRecord]) -> None:
    """Check that every file of ``folder`` is the one that was written.

    Files are hashed side by side: hashlib releases the interpreter's lock.

    Raises:
        DamagedError: names the first file that is missing, cut short or altered.
    """

    def check(name: str) -> None:
        path = folder / name
        try:
            found = record_file(path)
        except OSError as error:
            raise cannot_be_read(path, error) from None
        compare(path, files[name], found.size, found.sha256)

    with ThreadPoolExecutor(max_workers=4) as pool:
        for _ in pool.map(check, files):
            pass
