"""Qt's binary resource files (``.rcc``), in which GCompris keeps its images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_DIRECTORY = 0x02
_COMPRESSED = 0x01
_NODE_SIZE = {1: 14, 2: 22, 3: 22}


def read_resources(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of every file in a resource file.

    The layout is that of ``rcc --binary``, format versions 1 to 3 (qtbase,
    src/tools/rcc/rcc.cpp): a header with the offsets of tree, data and names; a tree
    of fixed-size nodes whose children lie side by side; big-endian throughout.

    Raises:
        ValueError: the file is no resource file, or is compressed in a way that zlib
            cannot undo.
    """
    blob = path.read_bytes()
    if blob[:4] != b"qres":
        raise ValueError(f"{path} is no Qt resource file")
    version, tree, data, names = struct.unpack_from(">4I", blob, 4)
    node_size = _NODE_SIZE[version]

    def name_at(offset: int) -> str:
        (length,) = struct.unpack_from(">H", blob, names + offset)
        start = names + offset + 6  # the length, then a hash of the name
        return blob[start : start + 2 * length].decode("utf-16-be")

    def walk(node: int, folder: str) -> Iterator[tuple[str, bytes]]:
        at = tree + node * node_size
        name, flags = struct.unpack_from(">IH", blob, at)
        here = f"{folder}/{name_at(name)}" if node else ""
        if flags & _DIRECTORY:
            count, first = struct.unpack_from(">II", blob, at + 6)
            for child in range(first, first + count):
                yield from walk(child, here)
            return
        (offset,) = struct.unpack_from(">I", blob, at + 10)
        (size,) = struct.unpack_from(">I", blob, data + offset)
        content = blob[data + offset + 4 : data + offset + 4 + size]
        if flags & _COMPRESSED:
            content = zlib.decompress(content[4:])  # four bytes of uncompressed size first
        elif flags & ~_DIRECTORY:
            raise ValueError(f"{path}: {here} is compressed in a way that is not zlib's")
        yield here.lstrip("/"), content

    yield from walk(0, "")
