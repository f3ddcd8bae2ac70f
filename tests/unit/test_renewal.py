"""When another bundle answers."""

from __future__ import annotations

from typing import Any

from ui.renewal import is_renewed


def test_only_another_one_than_before_is_news() -> None:
    state: dict[str, Any] = {"seen": {"year": {1999: {"a"}}}}
    assert not is_renewed(state, "")
    assert not is_renewed(state, "one")
    assert not is_renewed(state, "one")
    assert not is_renewed(state, ""), "one of several services may be older"
    assert state["seen"]
    assert is_renewed(state, "two")
    assert state["seen"] == {}, "what another bundle had is not offered"
    assert not is_renewed(state, "two")
