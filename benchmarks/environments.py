"""An environment for each peer that needs other releases than this project has.

They are made at the first run and kept.  PyTorch, several gigabytes of it, is linked from
the environment that the bench itself runs in: so every peer runs on the same PyTorch, too.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from benchmarks.machine import versions

_PEERS = Path(__file__).parent / "peers"
_SHARED = ("torch", "torchvision")
# The first names in a requirement, as packaging.requirements would read it.
_NAME = re.compile(r"^[A-Za-z0-9._-]+")
_STAMP = "installed"


class NotInstalledError(Exception):
    """A peer's environment cannot be made; the message is the installer's reason."""


def environment(peer: str, folder: Path) -> Path:
    """The Python of a peer's environment.

    Args:
        peer: its name; ``peers/NAME.txt`` says what goes into the environment.
        folder: where environments are kept.

    Raises:
        NotInstalledError: something is missing or does not fit.
    """
    requirements = (_PEERS / f"{peer}.txt").read_text(encoding="utf-8")
    place = folder / peer
    python = place / "bin" / "python"
    shared = {_canonical(found.name): found for found in _with_dependencies(_SHARED)}
    releases = sorted(f"{name}=={found.version}" for name, found in shared.items())
    depends_on = "\n".join([requirements, sys.version, *releases])
    digest = hashlib.sha256(depends_on.encode()).hexdigest()
    stamp = place / _STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return python
    print(f"installing {peer} into {place}", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    venv.create(place, with_pip=True)
    wanted = [
        line
        for line in requirements.splitlines()
        if (name := _NAME.match(line)) and _canonical(name[0]) not in shared
    ]
    pins = place / "pins.txt"
    pins.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    # Everything is pinned, so there is nothing to resolve; resolved, torch would be fetched.
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "--no-deps", "-r", str(pins)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstalledError(_reason(done.stderr))
    library = next(place.glob("lib/python*/site-packages"))
    for found in shared.values():
        _link(found, library)
    stamp.write_text(digest, encoding="utf-8")
    return python


def installed(peer: str, folder: Path) -> dict[str, str]:
    """The releases in a peer's environment, by name; nothing where it has none of its own."""
    libraries = list((folder / peer.replace("-", "_")).glob("lib/python*/site-packages"))
    return versions(libraries[0]) if libraries else {}


def run_inside(python: Path, script: str, *arguments: str) -> None:
    """Run ``peers/inside/SCRIPT.py`` in a peer's environment.

    Raises:
        NotInstalledError: it failed; the message is the last line that it printed.
    """
    path = _PEERS / "inside" / f"{script}.py"
    print(f"running {path.name}", flush=True)
    done = subprocess.run(
        [str(python), str(path), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstalledError(f"{path.name}: {_last_line(done.stderr)}")


def _with_dependencies(names: tuple[str, ...]) -> Iterator[Distribution]:
    """What is installed here of these packages and of all that they ask for."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = _canonical(waiting.pop())
        if name in seen or name in ("numpy", "pillow"):
            # Of these the peers have releases of their own.
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            # Asked for on other systems, or by an extra.
            continue
        yield found
        for requirement in found.requires or ():
            match = _NAME.match(requirement)
            if match and "extra ==" not in requirement:
                waiting.append(match[0])


def _link(found: Distribution, library: Path) -> None:
    """Let a package that is installed here be importable from another ``site-packages``."""
    for entry in {file.parts[0] for file in found.files or () if ".." not in file.parts}:
        source, target = Path(str(found.locate_file(entry))), library / entry
        if entry == "__pycache__" or not source.exists():
            continue
        if target.is_dir() and not target.is_symlink():
            # A namespace that several packages share, such as nvidia.
            continue
        if not target.exists():
            target.symlink_to(source)


def _canonical(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _reason(output: str) -> str:
    """The line of pip's output that says what was wrong."""
    lines = [line for line in output.splitlines() if line.startswith("ERROR")]
    return lines[-1].removeprefix("ERROR: ") if lines else _last_line(output)


def _last_line(output: str) -> str:
    return next((line for line in reversed(output.splitlines()) if line.strip()), "no reason given")
