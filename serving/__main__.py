"""Serve a bundle in this very process: ``python -m serving --port 3000``.

It is the application that ``bentoml serve`` runs, without the process that ``bentoml serve``
starts first to look after the workers: where there is one worker, and something else that
starts it again (a container, systemd), that process costs a second of every cold start and a
hundred megabytes for nothing.  With ``SIGHTLINE_WORKERS`` above one, a small one of our own
looks after them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from serving import logs
from serving.settings import Settings


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is under way and exit with 0."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="0.0.0.0 for whoever reaches this machine; default 127.0.0.1, this machine alone",
    )
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "3000")))
    # For the workers that this program starts itself.
    parser.add_argument("--heartbeat", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    settings = Settings.load()
    logs.configure()
    if settings.workers > 1 and arguments.heartbeat is None:
        from serving.supervisor import Supervisor

        Supervisor(settings, arguments.host, arguments.port).run()
    else:
        _serve(settings, arguments.host, arguments.port, arguments.heartbeat)


def _serve(settings: Settings, host: str, port: int, heartbeat: int | None) -> None:
    from serving.bundle_opening import open_bundle
    from serving.server import Server, listen

    listener = listen(host, port, shared=heartbeat is not None)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(open_bundle, settings)
        # Meanwhile: BentoML takes most of a second to import.
        from service import InFront, Sightline, process

        process.bundle = opening.result()
    reloader = process.app.reloader
    server = Server(
        InFront(Sightline.to_asgi()),  # type: ignore[attr-defined]
        settings,
        listener,
        reload=reloader.reload_soon,
        heartbeat=heartbeat,
    )
    reloader.tell_others = server.tell_others_to_reload
    server.serve_until_stopped()


if __name__ == "__main__":
    main()
