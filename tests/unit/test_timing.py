"""The steps of a search as the header names them."""

from __future__ import annotations

from serving.timing import STEPS, Timing, server_timing


def test_each_step_is_told_in_milliseconds() -> None:
    timing = Timing(
        filter=0.001, tokenize=0.0025, queue=0.25, encode=1.5, search=0.0000004, lookup=0.0000006
    )
    assert server_timing(timing) == (
        "filter;dur=1.000, tokenize;dur=2.500, queue;dur=250.000, encode;dur=1500.000, "
        "search;dur=0.000, lookup;dur=0.001"
    )
    assert STEPS == ("filter", "tokenize", "queue", "encode", "search", "lookup")
