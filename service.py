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
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.bundle_opening import check_bundle, open_bundle
from serving.errors import speech_is_off
from serving.metrics import METRICS_FOLDER
from serving.settings import Settings
from serving.tracing import Tracing, exporter
from serving.wire.fields import DEFAULT_K
from serving.wire.requests import EncodeRequest, ImageSearchRequest, SearchRequest
from serving.wire.responses import EncodeResponse, SearchResponse, TranscribeResponse

if TYPE_CHECKING:
    from models.bundle import Bundle
    from serving.app import App

settings = Settings.load()

# BentoML wraps each request in OpenTelemetry spans even where nothing collects them, which
# costs twice what the rest of it does.  The spans that an exporter gets are the application's
# own; the variable has to be set before BentoML makes its tracer.
_TRACED = exporter(os.environ) is not None
if not _TRACED:
    os.environ.setdefault("OTEL_SDK_DISABLED", "true")


class Process:
    """What this process has one of.

    The application is made when it is first asked for: the process that only starts workers
    needs neither onnxruntime nor FAISS, and its start comes before theirs.
    """

    # Where it was opened while BentoML was still being imported.
    bundle: Bundle | None = None

    def __init__(self) -> None:
        self._app: App | None = None

    @property
    def app(self) -> App:
        """The application that answers."""
        if self._app is None:
            from serving.app import App

            self._app = App(
                settings,
                schema=Sightline.schema,  # type: ignore[attr-defined]
                open_bundle=lambda: open_bundle(settings, fresh=True),
                tracing=Tracing.from_environment(),
            )
        return self._app


process = Process()


@bentoml.service(
    name="sightline",
    workers=settings.workers,
    traffic={
        # The application has time limits of its own, which come before this one.  Each request
        # leaves a timer behind until it has passed, so it is no longer than it has to be.
        "timeout": settings.timeout + settings.upload_timeout + 5,
        # A batch that runs and one that gathers: what BentoCloud gives each instance before it
        # starts another; by processor load alone it would come too late.
        "concurrency": 2 * settings.max_batch_size,
        # The application refuses more by itself, and pauses before it does.
        "max_concurrency": 4 * settings.max_queue * settings.workers,
    },
    # Written by the application instead, with the route as the label: see serving/metrics.py.
    metrics={"enabled": False, "namespace": "bentoml_service"},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class Sightline:
    """Finds images by describing them."""

    def __init__(self) -> None:
        from serving.speech import Transcriber

        self.app = process.app
        self.bundle = process.bundle or open_bundle(settings)
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
        from serving.leaving import say_farewell_first

        await self.app.use(self.bundle)
        if self.transcriber is not None:
            self.transcriber.warm_up()
            self.app.state.transcriber = self.transcriber
        if settings.watch_bundle:
            self.app.reloader.watch(self.bundle.folder)
        say_farewell_first(self.app.state)
        del self.bundle
        process.bundle = None
        # What is loaded now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Let go of the threads."""
        self.app.close()

    # The application answers these routes over HTTP.  Here they are declared, for BentoML's
    # schema and its Python clients, and callable in process.

    @bentoml.api(route="/search", input_spec=SearchRequest, output_spec=SearchResponse)
    async def search(self, **fields: Any) -> dict[str, Any]:
        """Find the images that a text describes."""
        from serving.answer import result_fields

        with self.app.state.engine() as engine:
            return result_fields(await engine.search(SearchRequest(**fields)), engine)

    @bentoml.api(route="/search_by_image", output_spec=SearchResponse)
    async def search_by_image(
        self,
        image: Annotated[Path, ContentType("image/*")],
        k: int = DEFAULT_K,
        offset: int | None = None,
        weight: float = 1.0,
        queries: list[dict[str, Any]] | None = None,
        filter: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Find the images that resemble an image, and what else is sought."""
        from serving.answer import result_fields

        # Without the fields that are texts: BentoML's clients put quotes around those in a form.
        request = ImageSearchRequest.model_validate(
            {"k": k, "offset": offset, "weight": weight, "queries": queries, "filter": filter}
        )
        with self.app.state.engine() as engine:
            return result_fields(await engine.search_by_image(image.read_bytes, request), engine)

    @bentoml.api(route="/encode", input_spec=EncodeRequest, output_spec=EncodeResponse)
    async def encode(self, **fields: Any) -> dict[str, Any]:
        """Turn texts into vectors."""
        with self.app.state.engine() as engine:
            vectors = await engine.encode(EncodeRequest(**fields))
            model = engine.bundle.manifest.model.name
        return {"embeddings": vectors.tolist(), "dim": vectors.shape[1], "model": model}

    @bentoml.api(route="/transcribe", output_spec=TranscribeResponse)
    async def transcribe(self, audio: Annotated[Path, ContentType("audio/*")]) -> dict[str, Any]:
        """Turn a recording into the words that are said in it."""
        if self.transcriber is None:
            raise speech_is_off()
        return {"text": await self.transcriber.transcribe(audio.read_bytes)}


class InFront:
    """Gives requests to the application, and the server's start and end to BentoML.

    BentoML's endpoint machinery costs about a millisecond a request, and every request leaves
    objects behind for as long as its time-out timer runs.

    Args:
        lifecycle: BentoML's application, which makes the service and stops it.
    """

    def __init__(self, lifecycle: ASGIApp) -> None:
        self._lifecycle = lifecycle
        self._app = process.app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what the server says of itself."""
        if scope["type"] == "lifespan":
            await self._lifecycle(scope, receive, send)
        else:
            await self._app(scope, receive, send)


Sightline.add_asgi_middleware(InFront)  # type: ignore[attr-defined]
