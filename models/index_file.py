"""The file of a vector index: hashed while it is read, and checked before it is used."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Literal

import faiss

from models.damage import DamagedError
from models.file_names import INDEX
from models.folder import Folder
from models.manifest import IndexFacts

Metric = Literal["ip", "l2"]
METRICS = {"ip": faiss.METRIC_INNER_PRODUCT, "l2": faiss.METRIC_L2}
# So many dimensions have a number of so many bits.
DIMENSIONS_A_CODE = 2
BITS = 4
_CHUNK = 1 << 20
# FAISS has one limit for all files that are read.
_READING = threading.Lock()


def read_index(folder: Folder) -> faiss.Index:
    """The FAISS index of a bundle, hashed while FAISS reads it."""
    digest = hashlib.sha256()
    failure = None
    with folder.stream(INDEX) as stream:

        def read(size: int) -> bytes:
            chunk = stream.read(size)
            if not folder.checked(INDEX):
                digest.update(chunk)
            return chunk

        try:
            with _READING:
                # No more than there is can be asked for.
                faiss.set_deserialization_vector_byte_limit(max(1, folder.size(INDEX)))
                index = faiss.read_index(faiss.PyCallbackIOReader(read))
        except (RuntimeError, MemoryError) as error:
            failure = error
        # What may follow belongs to the file, too.
        while read(_CHUNK):
            pass
    # A damaged file makes FAISS fail less clearly.
    if not folder.checked(INDEX):
        folder.settle(INDEX, digest.hexdigest())
    if failure is not None:
        path = folder.path / INDEX
        raise DamagedError(f"{path} is no FAISS index: {failure}. Build it again.") from None
    return index


def check_metric(path: Path, index: faiss.Index, facts: IndexFacts) -> None:
    """The metric of an index has to be what the manifest says.

    Raises:
        DamagedError: it is another.
    """
    if index.metric_type != METRICS[facts.metric]:
        raise DamagedError(f"{path} has another metric than {facts.metric}. Build it again.")


# FAISS believes a file that is not what it says of itself, and reads beyond its end.


def is_flat(index: faiss.Index) -> bool:
    """Whether an index has the vectors themselves, and as many as it says."""
    size = 4 * index.d * index.ntotal
    return isinstance(index, faiss.IndexFlat) and index.codes.size() == size


def is_scan(index: faiss.Index) -> bool:
    """Whether an index is what :mod:`models.coded_scan` makes, and as large as it says."""
    if not isinstance(index, faiss.IndexPQFastScan):
        return False
    parts = index.d // DIMENSIONS_A_CODE
    # FAISS works on pairs of parts.
    pairs = (parts + 1) // 2
    block = max(1, index.bbs)
    padded = -(-index.ntotal // block) * block
    return (
        (index.M, index.M2, index.nbits, index.pq.M, index.pq.nbits)
        == (parts, 2 * pairs, BITS, parts, BITS)
        and index.pq.centroids.size() == index.d << BITS
        and (index.ntotal2, index.codes.size()) == (padded, padded * pairs)
    )
