"""The application: middleware around routes, over the bundle that is in use.

>>> app = create_app(Settings(), Bundle.open(Path("bundles/demo")))

That is all which a test needs, and any ASGI server can run it; ``service.py`` and
``python -m serving`` put it before BentoML's own application.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from models import machine
from models.bundle import Bundle
from models.manifest import DamagedError
from serving import openapi, protocols
from serving.answer import BUNDLE_HEADER
from serving.bodies import Bodies
from serving.edge import Edge
from serving.engine import Engine
from serving.error_answers import Errors
from serving.exchange import Exchange
from serving.forms import FORM_FRAME
from serving.keys import PROBES, Keys
from serving.reload import Reloader
from serving.routes import MAX_JSON, Routes
from serving.settings import Settings
from serving.state import State
from serving.tracing import Tracing

if TYPE_CHECKING:
    from serving.protocols.protocol import Protocol

logger = logging.getLogger("sightline")

Opener = Callable[[], Bundle]


class App:
    """Answers every HTTP request; 503 until :meth:`use` has given it a bundle.

    Args:
        settings: everything that can be set.
        schema: what BentoML's clients ask for at ``/schema.json``, None for nothing there.
        open_bundle: opens the bundle that is now where the one in use came from.
        tracing: where spans go, None for nowhere.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        schema: Callable[[], dict[str, Any]] | None = None,
        open_bundle: Opener | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.state = State()
        self.settings = settings
        self.reloader = Reloader(self.state, self.use, open_bundle)
        self._tracing = tracing
        protocols = _spoken(settings, Exchange(self.state, settings))
        document = openapi.document(
            keys=bool(settings.keys),
            speech=settings.speech_model is not None,
            schema=schema is not None,
            others=[operation for protocol in protocols for operation in protocol.operations],
        )
        routes = Routes(self.state, settings, document, schema, self.reloader.reload_everywhere)
        self.routes = routes.table()
        self.routes += [route for protocol in protocols for route in protocol.routes]
        app: ASGIApp = Router(self.routes, redirect_slashes=False)
        form = settings.max_upload + FORM_FRAME
        images = ["/encode", *(path for protocol in protocols for path in protocol.images)]
        # As base64, and beside them what any question may have.
        with_images = settings.max_upload * 4 // 3 + MAX_JSON
        app = Bodies(
            app,
            {"/search_by_image": form, "/transcribe": form} | dict.fromkeys(images, with_images),
            limit=MAX_JSON,
            seconds=settings.upload_timeout,
            kept=frozenset(images),
        )
        if settings.keys:
            open_to_all = PROBES.union(*(protocol.probes for protocol in protocols))
            app = Keys(app, settings.keys, open_to_all)
        shapes = {
            operation.path: protocol.in_words
            for protocol in protocols
            if protocol.in_words is not None
            for operation in protocol.operations
        }
        app = Errors(app, shapes)
        if settings.origins:
            app = CORSMiddleware(
                app,
                allow_origins=settings.origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
                expose_headers=["Server-Timing", "X-Request-ID", "Retry-After", BUNDLE_HEADER],
            )
        self._app = Edge(
            app,
            self.state,
            {route.endpoint: route.path for route in self.routes},
            log_requests=settings.log_requests,
            tracing=tracing,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP is refused by leaving it unanswered."""
        if scope["type"] == "http":
            # By which Starlette's router knows that somebody puts its errors into words.
            scope["app"] = self
            await self._app(scope, receive, send)

    async def use(self, bundle: Bundle) -> None:
        """Warm a bundle up beside the one in use, and then answer with it.

        It is closed when another has taken its place.
        """
        engine = Engine(bundle, self.settings, self.state.metrics, closes_bundle=True)
        await engine.warm_up()
        self.state.use(engine)
        await asyncio.to_thread(machine.give_back_memory)

        def damaged(error: DamagedError) -> None:
            logger.error("not ready any more: %s", error)
            self.state.distrust(engine)

        engine.scrub(damaged)

    def close(self) -> None:
        """Let go of bundle and threads."""
        self.reloader.close()
        self.state.close()
        if self._tracing is not None:
            self._tracing.close()


def _spoken(settings: Settings, exchange: Exchange) -> list[Protocol]:
    """The protocols of others that are spoken; nothing is imported of those that are not."""
    files = (f".{name.replace('-', '_')}" for name in settings.spoken)
    return [import_module(file, protocols.__name__).protocol(exchange) for file in files]


def create_app(
    settings: Settings,
    bundle: Bundle,
    *,
    open_bundle: Opener | None = None,
    tracing: Tracing | None = None,
) -> App:
    """An application that answers with a bundle at once, without a warm-up."""
    app = App(settings, open_bundle=open_bundle, tracing=tracing)
    app.state.use(Engine(bundle, settings, app.state.metrics))
    return app
