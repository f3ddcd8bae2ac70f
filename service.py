"""The BentoML service: a bundle behind an HTTP API.

Run it, and ask it::

    python -m serving --port 3000            # SIGHTLINE_BUNDLE=bundles/photos
    bentoml serve service:Sightline          # the same, with a process to look after workers
    curl localhost:3000/search -d '{"query": "a red fox", "k": 3}'
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import bentoml
from bentoml.validators import ContentType

from models.schemas import (
    DEFAULT_K,
    EncodeRequest,
    EncodeResponse,
    SearchRequest,
    SearchResponse,
    TranscribeResponse,
)
from serving.errors import speech_is_off
from serving.http import Front, ServiceState, result_fields
from serving.metrics import METRICS_FOLDER
from serving.opening import check_bundle, open_bundle
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.engine import Found

settings = Settings()

# BentoML wraps each request in OpenTelemetry spans even where nothing collects them, which
# costs twice what the rest of it does.  OTEL_SDK_DISABLED=false and an exporter turn
# tracing on; the variable has to be set before BentoML makes its tracer.
_UNTRACED = os.environ.setdefault("OTEL_SDK_DISABLED", "true").lower() == "true"
state = ServiceState()


@bentoml.service(
    name="sightline",
    workers=settings.workers,
    # Each request leaves a timer with all that it refers to behind until its time-out has
    # passed: at a thousand requests a second, a minute of them is a leak.
    traffic={"timeout": 10},
    # Written by the front instead, with the route as the label: see serving/metrics.py.
    metrics={"enabled": False, "namespace": "bentoml_service"},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*" if _UNTRACED else None},
)
class Sightline:
    """Finds pictures by describing them."""

    def __init__(self) -> None:
        # Here, since the process that only starts the workers needs neither onnxruntime nor
        # FAISS, and its start comes before theirs.
        from serving.engine import Engine
        from serving.speech import Transcriber

        self.engine = Engine(
            state.bundle or open_bundle(settings),
            max_batch_size=settings.max_batch_size,
            max_queue=settings.max_queue,
            cache_size=settings.cache_size,
        )
        self.transcriber = (
            Transcriber(settings.speech_model, threads=settings.threads)
            if settings.speech_model
            else None
        )

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Check the bundle once, before there are workers.

        A worker that fails is started again and again; this process is not.
        """
        check_bundle(settings)
        if settings.workers > 1:
            counters = tempfile.mkdtemp(prefix="sightline-metrics-")
            atexit.register(shutil.rmtree, counters, ignore_errors=True)
            os.environ[METRICS_FOLDER] = counters

    @bentoml.on_startup
    async def warm_up(self) -> None:
        """Make the first request as quick as any; BentoML is ready only after this."""
        await self.engine.warm_up()
        if self.transcriber is not None:
            self.transcriber.warm_up()
            state.transcriber = self.transcriber
        state.engine = self.engine
        # What is loaded now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Let go of the threads."""
        self.engine.close()
        if self.transcriber is not None:
            self.transcriber.close()

    # The front answers these routes over HTTP.  Here they are declared, for BentoML's
    # schema, its documentation page and its Python clients, and callable in process.

    @bentoml.api(route="/search", input_spec=SearchRequest, output_spec=SearchResponse)
    async def search(self, **fields: Any) -> dict[str, Any]:
        """Find the pictures that a text describes."""
        return self._answer(await self.engine.search(SearchRequest(**fields)))

    @bentoml.api(route="/search_by_image", output_spec=SearchResponse)
    async def search_by_image(
        self, image: Annotated[Path, ContentType("image/*")], k: int = DEFAULT_K
    ) -> dict[str, Any]:
        """Find the pictures that resemble a picture."""
        return self._answer(await self.engine.search_by_image(image.read_bytes(), k))

    @bentoml.api(route="/encode", input_spec=EncodeRequest, output_spec=EncodeResponse)
    async def encode(self, **fields: Any) -> dict[str, Any]:
        """Turn texts into vectors."""
        vectors = await self.engine.encode(EncodeRequest(**fields))
        model = self.engine.bundle.manifest.model.name
        return {"embeddings": vectors.tolist(), "dim": vectors.shape[1], "model": model}

    @bentoml.api(route="/transcribe", output_spec=TranscribeResponse)
    async def transcribe(self, audio: Annotated[Path, ContentType("audio/*")]) -> dict[str, Any]:
        """Turn a recording into the words that are said in it."""
        if self.transcriber is None:
            raise speech_is_off()
        return {"text": await self.transcriber.transcribe(audio.read_bytes())}

    def _answer(self, found: Found) -> dict[str, Any]:
        version = self.engine.version
        return {"results": [result_fields(hit, version) for hit in found.hits]}


Sightline.add_asgi_middleware(Front, state=state, settings=settings)  # type: ignore[attr-defined]
