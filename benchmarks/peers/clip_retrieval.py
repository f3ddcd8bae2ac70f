"""clip-retrieval: its own ``clip-retrieval back`` over an index that autofaiss has made.

As it comes, but for what would fetch files: the multilingual model and the aesthetic
weights are off.
"""

from __future__ import annotations

from benchmarks.corpus import MODEL, K
from benchmarks.environments import environment, run_inside
from benchmarks.peers import Peer, Setting
from benchmarks.servers import Command

_INDEX = "bench"


def peers(setting: Setting) -> list[Peer]:
    """``clip back``, for searching."""
    corpus = setting.corpus
    python = environment("clip_retrieval", setting.environments)
    folder = corpus.folder / f"clip-retrieval-{corpus.vectors.stem}"
    indices = folder / "indices.json"
    if not indices.exists():
        arguments = [str(corpus.vectors), str(corpus.paths), str(folder), str(setting.threads)]
        run_inside(python, "index_as_clip_retrieval", *arguments)
    options = {
        "indices_paths": str(indices),
        "port": "{port}",
        "clip_model": f"open_clip:{MODEL}/{corpus.weights.resolve()}",
        "enable_mclip_option": "False",
        "use_jit": "False",
        "provide_aesthetic_embeddings": "False",
    }
    command = [str(python.parent / "clip-retrieval"), "back"]
    for name, value in options.items():
        command += [f"--{name}", value]
    return [
        Peer(
            "clip-retrieval",
            "clip-retrieval",
            "search",
            Command(
                command,
                probe="/indices-list",
                variables={"OMP_NUM_THREADS": str(setting.threads)},
            ),
            "/knn-service",
            lambda text: {
                "text": text,
                "modality": "image",
                "num_images": K,
                "indice_name": _INDEX,
            },
            lambda answer: len(answer) == K,
            "clip-retrieval back itself, Flask's server, autofaiss's HNSW index",
        )
    ]
