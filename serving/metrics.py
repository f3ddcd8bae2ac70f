"""What ``GET /metrics`` tells Prometheus.

BentoML's own request metrics carry the raw path as a label, so that every image
served would leave a time series behind for ever; the ones here carry the route.
The names and buckets of the shared ones are BentoML's, so that its dashboards work.
"""

from __future__ import annotations

import os

# BentoML gives every service of a user the same folder for its counters and empties it
# when one starts, by which the others lose theirs.  Several workers therefore get a folder
# of their own (who starts them makes it), and one needs none.
METRICS_FOLDER = "SIGHTLINE_METRICS_FOLDER"
if METRICS_FOLDER in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.environ[METRICS_FOLDER]
else:
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

# Below, since the library reads the variable when it is imported.
from prometheus_client import (  # noqa: E402
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The counters of one service: two in one process share none of them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            name="bentoml_service_request",
            documentation="Requests answered",
            labelnames=["endpoint", "http_response_code"],
            registry=self._registry,
        )
        self.duration = Histogram(
            name="bentoml_service_request_duration_seconds",
            documentation="From the request's first byte to the answer's last",
            labelnames=["endpoint"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.under_way = Gauge(
            name="bentoml_service_request_in_progress",
            documentation="Requests under way",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self.batch_size = Histogram(
            name="bentoml_service_adaptive_batch_size",
            documentation="Calls that shared one run",
            labelnames=["method_name"],
            buckets=_SIZES,
            registry=self._registry,
        )
        self.queue = Gauge(
            name="sightline_queue",
            documentation="Calls that waited when the last run began",
            labelnames=["method_name"],
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self.dropped = Counter(
            name="sightline_dropped",
            documentation="Calls that were not run, since the caller had left or it was too late",
            labelnames=["method_name"],
            registry=self._registry,
        )
        self.encode_seconds = Histogram(
            name="sightline_encode_seconds",
            documentation="One run of the text encoder over a batch",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.search_seconds = Histogram(
            name="sightline_search_seconds",
            documentation="One search of the index for a batch",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.cache_hits = Counter(
            name="sightline_cache_hits",
            documentation="Query texts that needed no run of the encoder: remembered, or twice in "
            "a batch",
            registry=self._registry,
        )
        self.cache_misses = Counter(
            name="sightline_cache_misses",
            documentation="Query texts that had to be encoded",
            registry=self._registry,
        )

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format, over every worker of the service."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
