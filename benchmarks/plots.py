"""The results as one image: throughput, latencies, where a request's time goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from benchmarks.peers.sightline import NAME
from benchmarks.report import best_of_families

# Paul Tol's "bright" scheme: told apart by people who do not see all colours.
_OURS = "#AA3377"
_OTHERS = ("#4477AA", "#228833", "#CCBB44", "#66CCEE")
_STEPS = {
    "tokenize": ("tokenise", "#66CCEE"),
    "queue": ("wait for the batch", "#BBBBBB"),
    "encode": ("encode", "#AA3377"),
    "search": ("search the index", "#4477AA"),
    "lookup": ("look up what was found", "#228833"),
    "rest": ("HTTP and JSON", "#CCBB44"),
}
_MARKERS = "osD^v"
# Legends stand below, where no line can run through them.
_BELOW: dict[str, Any] = {
    "loc": "upper center",
    "bbox_to_anchor": (0.45, -0.17),
    "fontsize": 9,
    "columnspacing": 1.2,
    "handlelength": 1.4,
}
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 12,
    "grid.color": "#E6E6E6",
    "legend.frameon": False,
}


def draw(results: Mapping[str, Any], file: Path) -> bool:
    """Write the image as PNG; False where the search phase has not been measured."""
    phase = results["phases"].get("search", {})
    peers = phase.get("peers", {})
    if NAME not in peers:
        return False
    shown = _best(peers)
    colours = _colours(shown)
    with mpl.rc_context(_STYLE):
        layout = ConstrainedLayoutEngine(wspace=0.06, h_pad=0.08)
        figure = Figure(figsize=(12.5, 4.8), layout=layout)
        left, middle, right = figure.subplots(1, 3)
        _throughput(left, peers, shown, colours)
        _latency(middle, peers, shown, colours)
        _where_time_goes(right, peers[NAME]["clients"])
        handles, labels = left.get_legend_handles_labels()
        middle.legend(handles, labels, **_BELOW, ncols=2)
        machine = results["machine"]
        figure.suptitle(
            f"ViT-B/32, {phase['images']:,} images, no cache, {machine['threads']} cores of "
            f"{machine['processor']}",
            x=0.01,
            ha="left",
            fontsize=9.5,
            color="#555555",
        )
        file.parent.mkdir(exist_ok=True)
        figure.savefig(file, dpi=130, facecolor="white")
    return True


def _best(peers: Mapping[str, Any]) -> list[str]:
    """The best server of each family, Sightline first."""
    best = best_of_families(peers, "32")
    names = [
        name
        for name, peer in peers.items()
        if peer["clients"]["32"]["median"]["per_second"] == best[peer["family"]]
    ]
    return sorted(names, key=lambda name: name != NAME)


def _colours(names: Sequence[str]) -> dict[str, str]:
    others = [name for name in names if name != NAME]
    return {NAME: _OURS, **dict(zip(others, _OTHERS, strict=False))}


def _throughput(
    axes: Axes, peers: Mapping[str, Any], names: Sequence[str], colours: Mapping[str, str]
) -> None:
    counts = [int(n) for n in peers[NAME]["clients"]]
    for name, marker in zip(names, _MARKERS, strict=False):
        clients = peers[name]["clients"]
        rates = [clients[n]["median"]["per_second"] for n in clients]
        axes.plot(
            [int(n) for n in clients], rates, marker=marker, color=colours[name], lw=2, label=name
        )
    ends = {name: peers[name]["clients"][str(counts[-1])]["median"]["per_second"] for name in names}
    for name, height in _apart(ends).items():
        axes.annotate(
            f"{ends[name]:,.0f}",
            (counts[-1], height),
            textcoords="offset points",
            xytext=(9, 0),
            va="center",
            color=colours[name],
            fontweight="bold",
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.minorticks_off()
    axes.margins(x=0.12, y=0.18)
    axes.set_title("Searches a second")
    axes.set_xlabel("clients at once")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(bottom=1)


def _apart(heights: Mapping[str, float], least: float = 1.35) -> dict[str, float]:
    """Where labels stand on a logarithmic axis so that none covers another."""
    placed: dict[str, float] = {}
    below = 0.0
    for name, height in sorted(heights.items(), key=lambda entry: entry[1]):
        below = max(height, below * least)
        placed[name] = below
    return placed


def _latency(
    axes: Axes, peers: Mapping[str, Any], names: Sequence[str], colours: Mapping[str, str]
) -> None:
    """From the 50th to the 99th percentile, at each number of clients."""
    counts = list(peers[NAME]["clients"])
    share = 0.8 / len(names)
    for place, (name, marker) in enumerate(zip(names, _MARKERS, strict=False)):
        for row, clients in enumerate(counts):
            median = peers[name]["clients"][clients]["median"]
            at = row + (place - (len(names) - 1) / 2) * share
            axes.plot([median["p50"], median["p99"]], [at, at], color=colours[name], lw=3)
            axes.plot(median["p50"], at, marker=marker, color=colours[name], ms=7)
            axes.plot(median["p99"], at, marker="|", color=colours[name], ms=11, mew=2)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(range(len(counts)), [_clients(n) for n in counts])
    axes.grid(axis="y", visible=False)
    axes.invert_yaxis()
    axes.set_title("Milliseconds to the answer")
    axes.set_xlabel("from the median to the 99th percentile")


def _where_time_goes(axes: Axes, clients: Mapping[str, Any]) -> None:
    """The means of Server-Timing, and what is left of the time that the client saw."""
    rows = list(clients)
    left = [0.0] * len(rows)
    totals = [clients[n]["median"]["mean"] for n in rows]
    for step, (label, colour) in _STEPS.items():
        if step == "rest":
            widths = [1 - already for already in left]
        else:
            widths = [
                clients[n]["steps_ms"].get(step, 0.0) / total
                for n, total in zip(rows, totals, strict=True)
            ]
        axes.barh(range(len(rows)), widths, left=left, color=colour, label=label, height=0.6)
        left = [already + width for already, width in zip(left, widths, strict=True)]
    labels = [f"{_clients(n)}\n{total:.1f} ms" for n, total in zip(rows, totals, strict=True)]
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y", visible=False)
    axes.set_title(f"Where {NAME}'s time goes")
    axes.set_xlabel("share of the mean time to the answer")
    axes.legend(**_BELOW, ncols=2)


def _clients(number: str) -> str:
    return f"{number} client" if number == "1" else f"{number} clients"
