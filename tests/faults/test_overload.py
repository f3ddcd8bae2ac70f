"""More than twice as much as can be answered."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.clients import flood, measure
from tests.faults.conftest import Figure, often
from tests.service.conftest import running

pytestmark = pytest.mark.slow

FACTOR = 2.5
CLIENTS = 32


def test_past_the_knee_what_is_taken_is_answered_and_the_rest_refused(
    demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    # Long ones, or who asks would be past his own knee first.
    more = " beside a white house" * 12
    bodies = ({"query": f"a small red fox, number {n}{more}", "k": 3} for n in itertools.count())
    # The service on a processor of its own, so that who asks does not take it away.
    alone_on_one = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    variables = {"SIGHTLINE_THREADS": "1", "SIGHTLINE_CACHE_SIZE": "0"}
    with running(demo_bundle, tmp_path / "log", before=alone_on_one, **variables) as service:
        process = psutil.Process(service.process.pid)
        measure(service.port, "/search", itertools.islice(bodies, 500), CLIENTS)
        alone = measure(service.port, "/search", bodies, 1, often(1, 5))
        knee = measure(service.port, "/search", bodies, CLIENTS, often(2, 10))
        before = process.memory_info().rss
        met = flood(service.port, "/search", bodies, FACTOR * knee.per_second, often(3, 30))
        ended = time.monotonic()
        # Until one is answered as quickly as any was before.
        while True:
            again = measure(service.port, "/search", itertools.islice(bodies, 1), 1)
            if again.p50 < max(2 * alone.p99, 5) or time.monotonic() - ended > 20:
                break
        recovered = time.monotonic() - ended
        grown = (process.memory_info().rss - before) / (1 << 20)
    assert knee.failed == met.failed == again.failed == 0
    assert met.answered + met.refused == met.sent
    assert min(met.answered, met.refused) > 100
    assert recovered < 20
    assert grown < 100
    figure(
        f"one core, long queries: knee {knee.per_second:.0f} searches/s (p99 {knee.p99:.0f} ms); "
        f"at {FACTOR} times that {met.good / knee.per_second:.2f} of it are good answers, "
        f"p99 {met.answers['p99']:.0f} ms; "
        f"429 p99 {met.refusals['p99']:.0f} ms of which 100 are a pause; memory +{grown:.0f} MB; "
        f"as quick as before {recovered:.1f} s later"
    )
