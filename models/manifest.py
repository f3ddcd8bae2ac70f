"""What a bundle says of itself.

A *bundle* is a model package (:mod:`models.model_card`) joined with the images that it has
embedded: an index, the items and a ``manifest.json`` (:class:`Manifest`), which names every other
file in its folder with its size and SHA-256, so that a reader can tell a whole one from a damaged
one before it trusts a byte.

    >>> manifest = Manifest.read(Path("bundles/demo"))
    >>> manifest.model.name, manifest.images
    ('sightline-demo', 612)
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.checksums import FileName, FileRecord
from models.document import Document
from models.file_names import MANIFEST
from models.installation import command
from models.model_card import ModelCard


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


class Manifest(Document):
    """``manifest.json``: what a bundle is, and the identity of its files.

    ``mean`` is the mean of the image embeddings, ``[dim]``: what a query's similarity to all
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
