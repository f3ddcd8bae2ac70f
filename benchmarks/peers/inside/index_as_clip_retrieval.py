"""An index folder for ``clip-retrieval back``; runs in clip-retrieval's environment.

python index_as_clip_retrieval.py VECTORS.npy PATHS.txt FOLDER THREADS

The index is the one that ``clip-retrieval index`` would make: autofaiss chooses it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas
from autofaiss import build_index


def main() -> None:
    """Write vectors, metadata and index, and last the file that names them."""
    vectors, paths, folder = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    embeddings, metadata = folder / "img_emb", folder / "metadata"
    embeddings.mkdir(parents=True, exist_ok=True)
    metadata.mkdir(exist_ok=True)
    shutil.copy(vectors, embeddings / "img_emb_0.npy")
    names = paths.read_text(encoding="utf-8").splitlines()
    pandas.DataFrame({"image_path": names}).to_parquet(metadata / "metadata_0.parquet")
    build_index(
        str(embeddings),
        index_path=str(folder / "image.index"),
        index_infos_path=str(folder / "image.json"),
        max_index_memory_usage="4G",
        nb_cores=int(sys.argv[4]),
        metric_type="ip",
        verbose=30,
    )
    (folder / "indices.json").write_text(json.dumps({"bench": str(folder.resolve())}))


if __name__ == "__main__":
    main()
