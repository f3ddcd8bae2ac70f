"""The processor that figures belong to."""

from __future__ import annotations

import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def describe_processor() -> tuple[str, set[str]]:
    """The model's name and its instruction sets, as far as the system tells."""
    if not _CPUINFO.exists():
        return platform.processor() or platform.machine(), set()
    fields: dict[str, str] = {}
    for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name", platform.machine())
    numbers = [fields[key] for key in ("cpu family", "model") if key in fields]
    if numbers:
        name += f" (family {', model '.join(numbers)})"
    return name, set(fields.get("flags", fields.get("Features", "")).split())
