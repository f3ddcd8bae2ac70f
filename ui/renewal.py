"""Whether another bundle answers than the one before."""

from __future__ import annotations

from typing import Any, Protocol


class State(Protocol):
    """What a session remembers."""

    def get(self, name: str, default: str) -> Any:
        """What it has by a name."""

    def __setitem__(self, name: str, value: Any, /) -> None: ...


def is_renewed(state: State, version: str) -> bool:
    """Whether the service has changed over to another bundle since this was last asked.

    The values that were met in the bundle before are forgotten: they are offered as filters.

    Args:
        state: the session's.
        version: of the bundle that has answered, empty where the service does not say.
    """
    if not version:
        return False
    before, state["bundle"] = state.get("bundle", version), version
    if before == version:
        return False
    state["seen"] = {}
    return True
