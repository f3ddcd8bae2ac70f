#!/usr/bin/env python3
"""Take out of a virtual environment what serving never opens, and compile the rest.

Runs inside the image's build, with that environment's own Python.  Licences stay: every
``.dist-info`` is left as it is.
"""

from __future__ import annotations

import compileall
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

TEST_FOLDERS = ("tests", "test", "_pyinstaller")
# Type stubs, and the sources of compiled modules.
SOURCES = (".pyi", ".pyx", ".pxd", ".h", ".hpp", ".c", ".cpp", ".a")
UNUSED = (
    # For programs in C: the Python module has the whole runtime linked in.
    "onnxruntime/capi/libonnxruntime.so.*",
    # Tools that convert and quantise models.
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "onnxruntime/quantization",
    # Wraps Fortran code.
    "numpy/f2py",
    # Headers for programs in C++.
    "pyarrow/include",
)
# The languages that tracebacks could be coloured for: not opened while nothing fails.
NOT_COMPILED = re.compile(r"/pygments/lexers/")


def slim(packages: Path) -> None:
    """Remove the files and compile what is left.

    Raises:
        SystemExit: a pattern of ``UNUSED`` finds nothing in a package that is there, or a file
            does not compile.
    """
    for pattern in UNUSED:
        found = list(packages.glob(pattern))
        if not found and (packages / pattern.partition("/")[0]).exists():
            sys.exit(f"slim: nothing matches {pattern}: the packages have changed")
        for path in found:
            _remove(path)
    for path in sorted(packages.rglob("*")):
        if path.is_dir() and path.name in TEST_FOLDERS and _is_within_package(path, packages):
            _remove(path)
        elif path.suffix in SOURCES and path.is_file():
            path.unlink()
    # What only a debugger reads.  The libraries that wheels bring along (NAME.libs) were
    # patched after linking, and strip can break such.
    modules = [
        path
        for path in packages.rglob("*.so")
        if not path.relative_to(packages).parts[0].endswith(".libs")
    ]
    if modules:
        subprocess.run(["strip", "--strip-debug", *modules], check=True)
    # Unchecked: the files are never edited, so their times need not be looked at.
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compiled = compileall.compile_dir(
        packages, quiet=1, rx=NOT_COMPILED, invalidation_mode=unchecked, workers=0
    )
    if not compiled:
        sys.exit("slim: some file does not compile")


def _is_within_package(path: Path, packages: Path) -> bool:
    """Not a package of its own that is called so."""
    return path.parent != packages


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


if __name__ == "__main__":
    slim(Path(sysconfig.get_path("purelib")))
