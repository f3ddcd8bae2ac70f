"""What a model package says of itself.

A *model package* is one open_clip checkpoint made ready to serve: two ONNX graphs, a tokenizer
and a ``model.json`` (:class:`ModelCard`), which names every other file in its
folder with its size and SHA-256.
"""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.checksums import FileName, FileRecord
from models.document import Document
from models.file_names import MODEL_CARD
from models.installation import command


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


class ModelCard(Document):
    """``model.json``: what a model package is, and the identity of its files.

    ``any_length`` says that a text's embedding is the same without the padding after it, so
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
