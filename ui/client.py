"""The service over HTTP: what is asked, and how the answer is read."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urljoin

import httpx

from ui.answers import Answer, FoundImage, ServiceError
from ui.question import Question
from ui.trouble import read_json, refusal, told_as_ours

DEFAULT_URL = "http://127.0.0.1:3000"
_TIMEOUT = httpx.Timeout(15.0, connect=3.0)
# What fetches thumbnails for a browser that may not; HTTP/1.1 wants few connections.
_FETCHERS = 8

# Streamlit keeps what it hands to a browser in memory.
_MOST_ARCHIVED = 256 << 20
# Of the service's: serving/wire/fields.py.
_MAX_OFFSET = 1000
_MAX_BROWSED = 100_000


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a client finds the service, and where the reader's browser finds it.

    ``public`` is None where nobody but the client itself reaches the service: thumbnails then come
    inside the answers, as they do with a key, which a browser does not have.
    """

    service: str = DEFAULT_URL
    public: str | None = DEFAULT_URL
    api_key: str | None = None

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> Addresses:
        """``SIGHTLINE_SERVICE_URL``, ``SIGHTLINE_PUBLIC_URL`` and ``SIGHTLINE_API_KEY``."""
        service = (variables.get("SIGHTLINE_SERVICE_URL") or DEFAULT_URL).rstrip("/")
        public = (variables.get("SIGHTLINE_PUBLIC_URL") or service).rstrip("/")
        return cls(service, public, variables.get("SIGHTLINE_API_KEY") or None)


class Service:
    """A client of one service; safe to share between threads.

    Raises:
        ServiceError: from every method, and nothing else, when there is no answer.
    """

    def __init__(self, addresses: Addresses, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {addresses.api_key}"} if addresses.api_key else {}
        self.url = addresses.service
        # Where a browser may load images from, None where it may not.
        self._public = None if addresses.api_key else addresses.public
        self._http = httpx.Client(
            base_url=addresses.service,
            headers=headers,
            timeout=_TIMEOUT,
            transport=transport,
            # The service is near; a proxy for the outside would not find it.
            trust_env=False,
        )

    def search(self, question: Question, offset: int | None = None) -> Answer:
        """Ask for the images that a text describes or that resemble one.

        Args:
            question: what is asked.
            offset: where the page begins, 0 for the first; None for the first alone, uncounted.
        """
        body = question.body()
        most = _MAX_OFFSET if question.seeks else _MAX_BROWSED
        answer = self._page("/search", body["k"], offset, most, json=body | _given(offset))
        if question.like is None:
            return replace(answer, ranked=question.seeks)
        # The images themselves come with those that resemble them.  Where what looks alike is
        # folded, one stays that stands for others: nothing else would lead to these.
        likes = question.likes
        others = [image for image in answer.images if image.id not in likes or image.alike]
        sought = sum(image.id in likes for image in others)
        total = None if answer.total is None else max(0, answer.total - len(likes) + sought)
        shown = others if offset is not None else others[: question.k]
        return replace(answer, images=tuple(shown), total=total, sought=sought)

    def search_by_image(
        self, content: bytes, question: Question, offset: int | None = None
    ) -> Answer:
        """Ask for the images that resemble ``content``, the bytes of an image's file.

        Args:
            content: the bytes.
            question: what is asked beside it, which takes the place of its ``like``.
            offset: as for :meth:`search`.
        """
        fields = question.form() | {name: str(value) for name, value in _given(offset).items()}
        return self._page(
            *("/search_by_image", question.k, offset, _MAX_OFFSET),
            data=fields,
            files={"image": content},
        )

    def images(self, ids: Sequence[str]) -> Answer:
        """The images with some ids, in that order; those are left out that are not there."""

        def look_up(image_id: str) -> FoundImage | None:
            try:
                return self._image(self.facts(image_id) | {"similarity": None})
            except ServiceError as error:
                if error.field == "id":
                    return None
                raise

        with ThreadPoolExecutor(_FETCHERS) as fetchers:
            found = tuple(filter(None, fetchers.map(look_up, ids)))
        return Answer(found if self._public else self._inlined(found), {}, 0.0, ranked=False)

    @property
    def archive_address(self) -> str | None:
        """Where a browser may have several originals in one ZIP, None where it may not."""
        return None if self._public is None else _below(self._public, "/images.zip")

    def archive(self, ids: Sequence[str]) -> bytes:
        """Several originals in one ZIP, for a browser that may not have it itself."""
        archive = bytearray()
        with self._streamed("/images.zip", {"ids": ",".join(ids)}) as pieces:
            for piece in pieces:
                archive += piece
                if len(archive) > _MOST_ARCHIVED:
                    raise ServiceError(
                        "refused", f"more than {_MOST_ARCHIVED >> 20} MB", field="ids"
                    )
        return bytes(archive)

    def transcribe(self, recording: bytes) -> str:
        """What is said in a recording, the bytes of its file; empty where nobody speaks."""
        said = read_json(self._send("POST", "/transcribe", files={"audio": recording}))
        try:
            return str(said["text"])
        except (KeyError, TypeError) as error:
            raise ServiceError("failed", f"unexpected answer: {error!r}") from error

    def thumbnail(self, image_id: str) -> str:
        """The thumbnail of an image, by its id: :attr:`Image.src`."""
        path = f"/images/{quote(image_id, safe='')}?size=thumbnail"
        return self._data_uri(path) if self._public is None else _below(self._public, path)

    def facts(self, image_id: str) -> dict[str, Any]:
        """What is known of an image, in the service's own names."""
        facts = read_json(self._send("GET", f"/images/{quote(image_id, safe='')}/facts"))
        if not isinstance(facts, dict):
            raise ServiceError("failed", f"unexpected answer: {facts!r}")
        return facts

    def info(self) -> dict[str, Any]:
        """The public part of the bundle's manifest."""
        facts: dict[str, Any] = read_json(self._send("GET", "/info"))
        return facts

    def facets(self) -> dict[str, Any]:
        """How many images have which values of each field; nothing of an older service."""
        try:
            told = read_json(self._send("GET", "/facets"))
        except ServiceError as error:
            if error.problem == "refused":
                return {}
            raise
        facets = told.get("facets") if isinstance(told, dict) else None
        return facets if isinstance(facets, dict) else {}

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _page(self, path: str, k: int, offset: int | None, most: int, **request: Any) -> Answer:
        """A page of ``k`` images, and where the next begins, at ``most``."""
        answer = self._answer(path, **request)
        following = (offset or 0) + len(answer.images)
        whole = len(answer.images) == k and following <= most
        return replace(answer, next=following if offset is not None and whole else None)

    def _answer(self, path: str, **request: Any) -> Answer:
        started = time.perf_counter()
        response = self._send("POST", path, **request)
        round_trip = (time.perf_counter() - started) * 1e3
        try:
            answer = read_json(response)
            images = tuple(self._image(fields) for fields in answer["results"])
            warnings = tuple(map(str, answer.get("warnings") or ()))
            total = answer.get("total_relevant")
            total = None if total is None else int(total)
            suggestion = str(answer.get("suggestion") or "")
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError("failed", f"unexpected answer: {error!r}") from error
        if self._public is None:
            images = self._inlined(images)
        timing = read_timing(response.headers.get("server-timing", ""))
        version = response.headers.get("x-sightline-bundle", "")
        return Answer(
            images, timing, round_trip, warnings, total, version=version, suggestion=suggestion
        )

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        with told_as_ours():
            response = self._http.request(method, path, **request)
        if response.is_success:
            return response
        raise refusal(response)

    @contextmanager
    def _streamed(self, path: str, params: Mapping[str, str]) -> Iterator[Iterator[bytes]]:
        """The body of an answer, piece by piece."""
        with told_as_ours(), self._http.stream("GET", path, params=params) as response:
            if not response.is_success:
                response.read()
                raise refusal(response)
            yield response.iter_bytes()

    def _image(self, fields: Mapping[str, Any]) -> FoundImage:
        path = str(fields["image_url"])
        original = f"/images/{fields['id']}"
        public = self._public
        similarity = fields["similarity"]
        return FoundImage(
            id=str(fields["id"]),
            image_path=str(fields["image_path"]),
            similarity=None if similarity is None else float(similarity),
            alt_text=str(fields["alt_text"]),
            src=path if public is None else _below(public, path),
            original=None if public is None else _below(public, original),
            caption=fields.get("caption"),
            metadata=fields.get("metadata") or {},
            text=fields.get("text"),
            # An older service takes no view.
            relevant=fields.get("relevant") is not False,
            said=fields,
        )

    def _inlined(self, images: tuple[FoundImage, ...]) -> tuple[FoundImage, ...]:
        """The same with their thumbnails inside: an ``<img>`` cannot send the key."""
        with ThreadPoolExecutor(_FETCHERS) as fetchers:
            return tuple(fetchers.map(self._with_thumbnail, images))

    def _with_thumbnail(self, image: FoundImage) -> FoundImage:
        # What lies elsewhere is not the service's to open, nor is its key for others to see.
        if not image.src.startswith("/"):
            return image
        return replace(image, src=self._data_uri(image.src))

    def _data_uri(self, path: str) -> str:
        try:
            response = self._send("GET", path)
        except ServiceError:
            # One thumbnail less is no reason to show none: the alt text stands for it.
            return ""
        kind = response.headers.get("content-type", "image/webp")
        data = base64.b64encode(response.content).decode("ascii")
        return f"data:{kind};base64,{data}"


def _given(offset: int | None) -> dict[str, int]:
    return {} if offset is None else {"offset": offset}


def read_timing(header: str) -> dict[str, float]:
    """The steps of a ``Server-Timing`` header (W3C Server Timing) and their milliseconds."""
    found = re.findall(r"([\w-]+)\s*;\s*dur=([0-9]+(?:\.[0-9]+)?)(?![\w.])", header)
    return {step: float(duration) for step, duration in found}


def _below(public: str, path: str) -> str:
    """The address of a path of the service, which may lie below a path of another server.

    One of its own, of a thumbnail that lies elsewhere, stays as it is.
    """
    return urljoin(public + "/", path.lstrip("/"))
