"""What Prometheus reads: names, kinds, labels and buckets that dashboards are built on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.metrics import Metrics

SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@pytest.mark.parametrize(
    ("attribute", "name", "kind", "labels", "documentation"),
    [
        (
            "requests",
            "bentoml_service_request",
            "counter",
            ("endpoint", "http_response_code"),
            "Requests answered",
        ),
        (
            "duration",
            "bentoml_service_request_duration_seconds",
            "histogram",
            ("endpoint",),
            "From the request's first byte to the answer's last",
        ),
        (
            "under_way",
            "bentoml_service_request_in_progress",
            "gauge",
            (),
            "Requests under way",
        ),
        (
            "batch_size",
            "bentoml_service_adaptive_batch_size",
            "histogram",
            ("method_name",),
            "Calls that shared one run",
        ),
        (
            "queue",
            "sightline_queue",
            "gauge",
            ("method_name",),
            "Calls that waited when the last run began",
        ),
        (
            "dropped",
            "sightline_dropped",
            "counter",
            ("method_name",),
            "Calls that were not run, since the caller had left or it was too late",
        ),
        (
            "encode_seconds",
            "sightline_encode_seconds",
            "histogram",
            (),
            "One run of the text encoder over a batch",
        ),
        (
            "search_seconds",
            "sightline_search_seconds",
            "histogram",
            (),
            "One search of the index for a batch",
        ),
        (
            "cache_hits",
            "sightline_cache_hits",
            "counter",
            (),
            "Query texts that needed no run of the encoder: remembered, or twice in a batch",
        ),
        (
            "cache_misses",
            "sightline_cache_misses",
            "counter",
            (),
            "Query texts that had to be encoded",
        ),
    ],
)
def test_each_is_exposed_under_its_name(
    attribute: str, name: str, kind: str, labels: tuple[str, ...], documentation: str
) -> None:
    metrics = Metrics()
    metric = getattr(metrics, attribute)
    if labels:
        metric = metric.labels(*(f"a {label}" for label in labels))
    if kind == "histogram":
        metric.observe(0.003)
    else:
        metric.inc(3)
    families = {
        family.name: family
        for family in text_string_to_metric_families(metrics.exposition().decode())
    }
    family = families[name]
    assert (family.type, family.documentation) == (kind, documentation)
    given = {label: f"a {label}" for label in labels}
    if kind == "histogram":
        buckets = {
            sample.labels["le"]: sample.value
            for sample in family.samples
            if sample.name.endswith("_bucket")
        }
        bounds = SIZES if attribute == "batch_size" else SECONDS
        assert list(buckets) == [*map(str, map(float, bounds)), "+Inf"]
        assert buckets == {le: float(float(le) >= 0.003) for le in buckets}
    else:
        [sample] = [each for each in family.samples if not each.name.endswith("_created")]
        assert sample.value == 3
        assert sample.labels == given


def test_there_are_no_others() -> None:
    told = Metrics().exposition().decode()
    assert len(re.findall("^# TYPE (?!.*_created )", told, re.MULTILINE)) == 10


def test_with_several_workers_it_is_their_folder_that_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    metrics = Metrics()
    metrics.requests.labels("/search", 200).inc()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    # This process counts in its memory, and has written nothing there.
    assert metrics.exposition() == b""
