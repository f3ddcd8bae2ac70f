"""The parts of the bench that compute; that it runs is seen in tests/benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import environments
from benchmarks.cache import read_counter
from benchmarks.environments import NotInstalledError, environment
from benchmarks.figures import histogram, medians, merge, percentiles, written, zipf_ranks
from benchmarks.machine import is_same
from benchmarks.make_queries import QUERIES, make_queries
from benchmarks.peers import Peer, Setting
from benchmarks.peers.catalogue import collect
from benchmarks.report import best_of_families, ratios, tables

ROOT = Path(__file__).resolve().parents[2]
MACHINE = {"processor": "a processor", "cores": 2, "threads": 2, "memory_gb": 4, "python": "3.11"}


def test_percentiles_and_medians() -> None:
    assert percentiles([float(value) for value in range(101)]) == {
        "p50": 50.0,
        "p95": 95.0,
        "p99": 99.0,
    }
    assert medians([{"a": 3.0}, {"a": 1.0}, {"a": 2.0}]) == {"a": 2.0}


def test_a_histogram_counts_everything_in_buckets_of_two_percent() -> None:
    latencies = np.random.default_rng(0).lognormal(2, 1, 1000).tolist()
    buckets = histogram([*latencies, 0.0])
    assert sum(count for _, count in buckets) == 1001
    edges = [edge for edge, _ in buckets]
    assert edges == sorted(edges)
    largest, _ = buckets[-1]
    assert largest * 0.999 <= max(latencies) <= largest * 1.021


def test_zipf_draws_the_first_most_often() -> None:
    ranks = zipf_ranks(2000, 20_000)
    counts = np.bincount(ranks, minlength=2000)
    assert len(counts) == 2000
    # 1 / rank, so the first is drawn twice as often as the second and ten times the tenth.
    assert 1.7 < counts[0] / counts[1] < 2.3
    assert 7 < counts[0] / counts[9] < 14
    assert ranks == zipf_ranks(2000, 20_000)


def test_phases_measured_before_are_kept_on_the_same_machine_only() -> None:
    old = {"machine": MACHINE, "phases": {"search": {"of": "before"}, "encoders": {"of": "before"}}}
    new = {"machine": {**MACHINE, "commit": "abc"}, "phases": {"search": {"of": "now"}}}
    assert is_same(old["machine"], new["machine"])
    merged = merge(old, new, same_machine=True)
    assert merged["phases"] == {"search": {"of": "now"}, "encoders": {"of": "before"}}
    assert merged["machine"]["commit"] == "abc"
    assert merge(old, new, same_machine=False)["phases"] == new["phases"]
    assert merge({}, new, same_machine=False)["phases"] == new["phases"]
    assert not is_same(old["machine"], {**MACHINE, "cores": 4})


def test_a_counter_is_read_whatever_its_labels() -> None:
    text = (
        "# TYPE sightline_cache_hits_total counter\n"
        "sightline_cache_hits_total 12.0\n"
        'other_total{a="b"} 3.0\nother_total{a="c"} 4.0\n'
    )
    assert read_counter(text, "sightline_cache_hits_total") == 12
    assert read_counter(text, "other_total") == 7
    assert read_counter(text, "sightline_cache_misses_total") == 0


def test_the_queries_are_those_that_the_script_makes() -> None:
    queries = QUERIES.read_text(encoding="utf-8").splitlines()
    assert queries == make_queries()
    assert len(set(queries)) == 2000


@pytest.mark.slow
def test_a_peer_that_cannot_be_installed_is_reported_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "peers").mkdir()
    (tmp_path / "peers" / "broken.txt").write_text(
        f"broken @ {(tmp_path / 'missing.whl').as_uri()}\n"
    )
    monkeypatch.setattr(environments, "_PEERS", tmp_path / "peers")

    def broken(setting: Setting) -> list[Peer]:
        environment("broken", setting.environments)
        raise AssertionError("it was installed")

    setting = Setting(corpus=None, threads=1, environments=tmp_path / "venvs")  # type: ignore[arg-type]
    peers, missing = collect(setting, {"broken": broken, "none": lambda _: []})
    assert peers == []
    assert list(missing) == ["broken"]
    assert missing["broken"].startswith("not installed: ")
    assert "missing.whl" in missing["broken"]
    # Nothing is left that a later run would take for an environment.
    with pytest.raises(NotInstalledError):
        environment("broken", setting.environments)

    phase = {"peers": {}, "missing": missing, "client_ms": {"1": 0.03}}
    shown = tables({"machine": MACHINE, "phases": {"search": phase}})
    assert missing["broken"] in shown


def peer(family: str, rate: float) -> dict[str, Any]:
    median = {"per_second": rate, "p50": 10.0, "p95": 15.0, "p99": 30.0, "mean": 11.0}
    clients = {n: {"median": median, "rounds": [{"failed": 0}]} for n in ("1", "32")}
    return {"family": family, "clients": clients}


def test_the_best_server_of_a_family_counts() -> None:
    peers = {
        "Sightline": peer("Sightline", 400.0),
        "Flask stack": peer("Flask stack", 10.0),
        "Flask stack, waitress": peer("Flask stack", 16.0),
    }
    assert best_of_families(peers, "32") == {"Sightline": 400.0, "Flask stack": 16.0}
    found = {text: (value, bar) for text, value, bar in ratios({"search": {"peers": peers}})}
    assert found["searches/s, 32 clients ÷ Flask stack"] == (25.0, "≥ 30")
    assert found["32 clients: p99 ÷ p50"] == (3.0, "≤ 4")


def test_results_are_written_with_a_line_for_each_figure() -> None:
    phases = {
        "search": {"measured_at": "now", "quick": False, "figures": {"a": [1, 2.5], "b": {"é": 3}}},
        "encode": {"measured_at": "then", "quick": True, "figures": {"c": None}},
    }
    results = {"machine": MACHINE, "phases": phases}
    text = written(results)
    assert json.loads(text) == results
    lines = text.splitlines()
    assert '"a": [1, 2.5],' in lines
    assert '"b": {"é": 3}' in lines
    # Those of the figures, and one to open and to close each phase and the whole.
    assert len(lines) == 3 + 2 * 2 + 3
    committed = (ROOT / "benchmarks" / "results" / "latest.json").read_text(encoding="utf-8")
    assert committed == written(json.loads(committed))
