"""The results as tables for a terminal, and how they stand to what is promised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.peers.bentoml_batching import NAME as BATCHING
from benchmarks.peers.sightline import NAME

_BUSY = "32"
_ALONE = "1"


def tables(results: Mapping[str, Any]) -> str:
    """Everything that was measured, a table to a phase, then the ratios."""
    phases = results["phases"]
    machine = results["machine"]
    parts = [
        f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, Python {machine['python']}"
    ]
    writers = {
        "encoders": _encoders,
        "search": lambda phase: _http("Searches over HTTP, cache off", phase),
        "encode": lambda phase: _http("Texts encoded over HTTP, one a request", phase),
        "cache": _cache,
        "coldstart": _coldstart,
        "endurance": _endurance,
        "building": _building,
        "overload": _overload,
        "filters": _filters,
    }
    parts += [write(phases[name]) for name, write in writers.items() if name in phases]
    rows = [[text, f"{value:.2f}", bar] for text, value, bar in ratios(phases)]
    if rows:
        parts.append(_table("How it stands", ["", "measured", "promised"], rows))
    return "\n\n".join(parts)


def ratios(phases: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """What is promised, as far as it was measured: what, the figure, the bar."""
    found: list[tuple[str, float, str]] = []
    if "encoders" in phases:
        rates = {name: entry["median"] for name, entry in phases["encoders"].items()}
        best, single = max(rates["open_clip"].values()), rates["open_clip"]["1"]
        for name, many, one in (("int8", 28, 10), ("fp32", 7, 3)):
            found.append((f"{name}, batch 32 ÷ open_clip", rates[name]["32"] / best, f"≥ {many}"))
            found.append((f"{name}, batch 1 ÷ open_clip", rates[name]["1"] / single, f"≥ {one}"))
        # Results of earlier releases do not have it.
        if "auto" in rates:
            found.append(
                ("auto, batch 32 ÷ fp32", rates["auto"]["32"] / rates["fp32"]["32"], "≥ 1.5")
            )
    for work, what in (("search", "searches/s"), ("encode", "texts/s")):
        found += _against_peers(phases.get(work, {}).get("peers", {}), what)
    ours = phases.get("search", {}).get("peers", {}).get(NAME)
    if ours:
        busy, alone = (ours["clients"][clients]["median"] for clients in (_BUSY, _ALONE))
        found.append(("32 clients: p99 ÷ p50", busy["p99"] / busy["p50"], "≤ 4"))
        if "encoders" in phases:
            loop = phases["encoders"]["loop"]["median"]
            over = alone["p50"] - 1e3 / loop["1"]
            found.append(("1 client: p50 - in process, ms", over, "≤ 2.5"))
            found.append(("32 clients ÷ plain loop", busy["per_second"] / loop["32"], "≥ 0.55"))
    for name, bar in (("ViT-B/32 int8", "≤ 2.5"), ("demo", "≤ 1.5")):
        if name in phases.get("coldstart", {}):
            seconds = phases["coldstart"][name]["median_seconds"]
            found.append((f"start to first answer, {name}, s", seconds, bar))
    found += _endurance_ratios(phases.get("endurance", {}))
    if "building" in phases:
        ours, script = (phases["building"][name]["median"] for name in ("sightline", "script"))
        for size, bar in (("12 MP", "≥ 2"), ("640 px", "≥ 1.3")):
            found.append((f"images/s ÷ script, {size}", ours[size] / script[size], bar))
        cosine = phases["building"]["reduced_decoding"]["least_cosine"]
        found.append(("cosine of reduced to full decoding", cosine, "≥ 0.995"))
    found += _overload_ratios(phases.get("overload", {}))
    found += _filter_ratios(phases.get("filters", {}))
    return found


# Where BentoML's own batching is the better, it is to be used.
_BARS = {"Flask stack": "≥ 30", BATCHING: "≥ 1"}


def best_of_families(peers: Mapping[str, Any], clients: str) -> dict[str, float]:
    """The throughput of the best server of each family."""
    best: dict[str, float] = {}
    for peer in peers.values():
        rate = peer["clients"][clients]["median"]["per_second"]
        best[peer["family"]] = max(rate, best.get(peer["family"], 0.0))
    return best


def _against_peers(peers: Mapping[str, Any], what: str) -> Iterable[tuple[str, float, str]]:
    if NAME not in peers:
        return
    best = best_of_families(peers, _BUSY)
    for family, rate in best.items():
        if family != NAME:
            bar = _BARS.get(family, "≥ 5")
            yield f"{what}, 32 clients ÷ {family}", best[NAME] / rate, bar


def _endurance_ratios(phase: Mapping[str, Any]) -> Iterable[tuple[str, float, str]]:
    resident = phase.get("resident_mb", {})
    if "10000" in resident:
        beyond = resident["10000"]["worker"] - phase["index_mb"]
        yield "memory of the worker - index, MB", beyond, "≤ 350"
    if "10000" in resident and "60000" in resident:
        grown = resident["60000"]["worker"] / resident["10000"]["worker"]
        yield "memory after 60,000 ÷ after 10,000", grown, "≤ 1.03"
    if "one_client" in phase:
        load = phase["one_client"]
        yield f"1 client, {load['requests']}: p99 ÷ p50", load["p99"] / load["p50"], "≤ 3"


def _overload_ratios(phase: Mapping[str, Any]) -> Iterable[tuple[str, float, str]]:
    if phase:
        flood, alone, beside = phase["flood"], phase["alone"], phase["beside_encoders"]
        yield (
            "good answers at 2.5 × the knee ÷ knee",
            flood["good"] / phase["knee"]["per_second"],
            ("≥ 0.85"),
        )
        if flood["refusals"]:
            yield "429 within, p99, ms", flood["refusals"]["p99"], "≤ 200"
        yield "search beside 64 × /encode - alone, p50, ms", beside["p50"] - alone["p50"], "≤ 100"


def _filter_ratios(phase: Mapping[str, Any]) -> Iterable[tuple[str, float, str]]:
    if phase:
        without = phase["by_filter"]["none"]["load"]
        for name, one in phase["by_filter"].items():
            if name != "none":
                yield f"recall@10, filter keeps {name}", one["recall"], "≥ 1"
                ratio = one["load"]["p50"] / without["p50"]
                yield f"search, filter keeps {name} ÷ without", ratio, "≤ 3"
        filtering, searching = (phase[f"beside_{what}"] for what in ("filtering", "searching"))
        ratio = filtering["one"]["p99"] / searching["one"]["p99"]
        yield "p99 beside 16 filtering ÷ beside 16 searching", ratio, "≤ 1.5"
        yield "slowest /livez beside 16 filtering, ms", filtering["slowest_livez_ms"], "≤ 50"


def _encoders(phase: Mapping[str, Any]) -> str:
    names = {
        "open_clip": "open_clip, PyTorch",
        "fp32": f"{NAME}, fp32",
        "auto": f"{NAME}, as exported by default",
        "int8": f"{NAME}, int8",
        "loop": "… with tokenising and search",
    }
    best, single = max(phase["open_clip"]["median"].values()), phase["open_clip"]["median"]["1"]
    rows = [
        [names[name], batch, f"{rate:.1f}", f"{rate / (single if batch == '1' else best):.1f} ×"]
        for name in names
        if name in phase
        for batch, rate in phase[name]["median"].items()
    ]
    return _table("Texts encoded in process", ["", "batch", "a second", "ratio"], rows)


def _http(title: str, phase: Mapping[str, Any]) -> str:
    rows = []
    for name, peer in phase["peers"].items():
        for clients, entry in peer["clients"].items():
            median = entry["median"]
            failed = sum(one["failed"] for one in entry["rounds"])
            latencies = (f"{median[key]:.1f}" for key in ("p50", "p95", "p99"))
            ratio = _ratio(phase["peers"], median["per_second"], clients)
            rows.append(
                [
                    *(name, clients, f"{median['per_second']:.1f}", *latencies, ratio),
                    f"{failed} failed" if failed else "",
                ]
            )
    rows += [[name, "", reason] for name, reason in phase["missing"].items()]
    head = ["", "clients", "a second", "p50 ms", "p95 ms", "p99 ms", f"{NAME} is", ""]
    own = ", ".join(f"{ms:.3f} ms with {n}" for n, ms in phase["client_ms"].items())
    return _table(title, head, rows) + f"\nthe load generator itself, a request: {own} clients"


def _ratio(peers: Mapping[str, Any], rate: float, clients: str) -> str:
    if NAME not in peers:
        return ""
    ours = peers[NAME]["clients"][clients]["median"]["per_second"]
    return "" if rate == ours else f"{ours / rate:.1f} ×"


def _cache(phase: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{one['hit_rate']:.1%}", f"{one['per_second']:.1f}"]
        + [f"{one[key]:.1f}" for key in ("p50", "p99")]
        for name, one in ((name, phase[name]) for name in ("off", "on"))
    ]
    title = (
        f"Queries as people repeat them (Zipf, s = {phase['exponent']:g}, "
        f"{phase['distinct']} distinct ones, cache of {phase['cache_size']}), 32 clients"
    )
    return _table(title, ["cache", "hits", "a second", "p50 ms", "p99 ms"], rows)


def _coldstart(phase: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{one['median_seconds']:.2f} s", f"{max(one['seconds']):.2f} s"]
        for name, one in phase.items()
    ]
    return _table("From exec to the first answered search", ["", "median", "slowest"], rows)


def _endurance(phase: Mapping[str, Any]) -> str:
    rows = [
        [searches, *(f"{one[key]:.0f}" for key in ("worker", "tree"))]
        for searches, one in phase["resident_mb"].items()
    ]
    title = f"Resident memory (the index is {phase['index_mb']:.0f} MB of it)"
    return _table(title, ["after searches", "worker MB", "all processes MB"], rows)


def _building(phase: Mapping[str, Any]) -> str:
    sizes = phase["script"]["median"]
    rows = [
        [name, *(f"{phase[key]['median'][size]:.2f}" for size in sizes)]
        for key, name in (("script", "the script's loop"), ("sightline", f"{NAME}, index"))
    ]
    return _table("Images embedded a second, fp32", ["", *sizes], rows)


def _overload(phase: Mapping[str, Any]) -> str:
    flood = phase["flood"]
    rows = [
        [name, f"{load['per_second']:.1f}", f"{load['p50']:.1f}", f"{load['p99']:.1f}"]
        for name, load in (
            ("1 client", phase["alone"]),
            ("32 clients (the knee)", phase["knee"]),
            ("1 client beside 64 × /encode of 256 texts", phase["beside_encoders"]),
        )
    ]
    name = f"{flood['arriving']:.0f} arrive a second"
    rows.append([name, f"{flood['good']:.1f}", *_both(flood["answers"])])
    rows.append(["… those refused", f"{flood['refused']} in all", *_both(flood["refusals"])])
    if flood["failed"]:
        rows.append(["… those that failed", f"{flood['failed']} in all", "", ""])
    return _table(
        "One core, more than it can answer", ["", "good a second", "p50 ms", "p99 ms"], rows
    )


def _both(latencies: Mapping[str, float]) -> list[str]:
    return [f"{latencies[key]:.1f}" if latencies else "" for key in ("p50", "p99")]


def _filters(phase: Mapping[str, Any]) -> str:
    rows = [
        [f"keeps {name}" if name != "none" else "no filter", f"{one['recall']:.3f}"]
        + [f"{one['load'][key]:.1f}" for key in ("per_second", "p50", "p99")]
        for name, one in phase["by_filter"].items()
    ]
    for what in ("searching", "filtering"):
        beside = phase[f"beside_{what}"]
        load = beside["one"]
        figures = [f"{load[key]:.1f}" for key in ("per_second", "p50", "p99")]
        rows.append([f"no filter, beside 16 that are {what}", "", *figures])
        slowest = f"{beside['slowest_livez_ms']:.1f}"
        rows.append(["… the slowest /livez", "", "", "", slowest])
    title = f"Filters among {phase['images']} images, 1 client"
    return _table(title, ["", "recall@10", "a second", "p50 ms", "p99 ms"], rows)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be, the first one to the left.

    The last cell of a row that is shorter than the head may run on.
    """
    full = [row for row in (head, *rows) if len(row) == len(head)]
    widths = [max(len(row[column]) for row in full) for column in range(len(head))]
    widths[0] = max(len(row[0]) for row in (head, *rows))
    lines = [title, "─" * len(title)]
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])]
        for cell, width in zip(row[1:], widths[1:], strict=False):
            cells.append(cell.rjust(width))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
