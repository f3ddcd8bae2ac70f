"""What the service answers, as its clients here hold it, and what can go wrong instead."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Problem = Literal["down", "slow", "busy", "refused", "locked", "failed"]

# As many images a page holds of one answer: a browser needs some forty parts for each.
MOST_HELD = 480

# Its head, and that of its transparency.
_LEAST_THUMBHASH = 6


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One result.

    ``similarity`` is None where nothing was sought.  ``src`` is the thumbnail, as an address that
    the reader's browser can load or as a data URI, empty where it cannot be had; ``said`` is all
    that the service says, in its own names.
    """

    id: str
    image_path: str
    similarity: float | None
    alt_text: str
    src: str
    original: str | None
    caption: str | None
    metadata: Mapping[str, Any]
    text: str | None = None
    relevant: bool = True
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Width by height, None where the service does not say."""
        width, height = self.said.get("width"), self.said.get("height")
        if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
            return width / height
        return None

    @property
    def thumbhash(self) -> bytes:
        """What may stand in for the thumbnail, a ThumbHash; empty where there is none."""
        try:
            found = base64.b64decode(str(self.said.get("thumbhash") or ""), validate=True)
        except ValueError:
            return b""
        return found if len(found) >= _LEAST_THUMBHASH else b""

    @property
    def matched(self) -> tuple[str, ...]:
        """By which words it was found, as the service names their places; none by looks alone."""
        matched = self.said.get("matched")
        names = matched if isinstance(matched, Mapping) else {}
        return tuple(str(name) for name in names if name != "image")

    @property
    def alike(self) -> int:
        """How many others look like it and are not shown themselves; 0 where nothing is folded."""
        number = self.said.get("duplicates")
        return number if isinstance(number, int) and number > 0 and self.alike_ids else 0

    @property
    def alike_ids(self) -> tuple[str, ...]:
        """The ids of these, or of the first where they are many."""
        ids = self.said.get("duplicate_ids")
        return tuple(map(str, ids)) if isinstance(ids, list) else ()

    def source_of(self, name: str) -> str:
        """Where a field comes from, as the service names it; empty where it does not."""
        sources = self.said.get("sources")
        source = sources.get(name) if isinstance(sources, Mapping) else None
        return source if isinstance(source, str) else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Images, best first; the service's steps and the whole way there and back, in ms.

    ``warnings`` are what the service tells of the question; ``total`` is how many images are
    relevant, None where nobody has counted; ``next`` where the next page begins, None where there
    is none; ``suggestion`` is what may have been meant, empty where nothing else was.  Images
    that nobody has compared with anything are not ``ranked``; ``version`` names the bundle that
    answered, empty where the service does not.
    Of what came page by page no more than ``MOST_HELD`` are there: ``gone`` came before them,
    ``relevant_gone`` of which were relevant; ``nearest`` is the highest similarity of the first
    page, None where there is no other.  ``sought`` of the images are what others are to resemble,
    and are there for what looks like them.
    """

    images: tuple[FoundImage, ...]
    timing: Mapping[str, float]
    round_trip: float
    warnings: tuple[str, ...] = ()
    total: int | None = None
    next: int | None = None
    ranked: bool = True
    version: str = ""
    suggestion: str = ""
    gone: int = 0
    relevant_gone: int = 0
    nearest: float | None = None
    sought: int = 0

    @property
    def relevant(self) -> tuple[FoundImage, ...]:
        """Those that the service takes to be what was sought."""
        return tuple(image for image in self.images if image.relevant)

    @property
    def weaker(self) -> tuple[FoundImage, ...]:
        """The others."""
        return tuple(image for image in self.images if not image.relevant)

    @property
    def shown(self) -> int:
        """How many images have come up to here, those as well that are let go."""
        return self.gone + len(self.images)

    @property
    def best(self) -> float:
        """The similarity that others are measured by: the same one from page to page."""
        if self.nearest is not None:
            return self.nearest
        # What is found by its words need not look like them: the first is not always the nearest.
        return max((image.similarity or 0.0 for image in self.images), default=0.0)

    def with_more(self, page: Answer) -> Answer:
        """These images and those of the next page; of too many the first are let go."""
        there = {image.id for image in self.images}
        all_ = (*self.images, *(one for one in page.images if one.id not in there))
        left, held = all_[:-MOST_HELD], all_[-MOST_HELD:]
        return replace(
            self,
            images=held,
            # Each page counts those of its own.
            total=None if page.total is None else page.total + self.sought,
            next=page.next,
            gone=self.gone + len(left),
            relevant_gone=self.relevant_gone + sum(image.relevant for image in left),
            nearest=self.best,
            sought=self.sought + page.sought,
        )


class ServiceError(Exception):
    """The service gave no answer.

    Args:
        problem: what kind of trouble it is.
        message: the service's own words, where it had any.
        retry_after: seconds after which it asks to be tried again.
        field: the field of the request that is at fault, where it named one.
    """

    def __init__(
        self,
        problem: Problem,
        message: str = "",
        retry_after: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message or problem)
        self.problem: Problem = problem
        self.message = message
        self.retry_after = retry_after
        self.field = field
