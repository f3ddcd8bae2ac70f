"""The Flask application of the Flask stack.

python -m benchmarks.peers.flask_app PORT {flask,waitress}
"""

from __future__ import annotations

import os
import sys
from typing import Any

import faiss
import numpy as np
import open_clip
import torch
from flask import Flask, request

from benchmarks.corpus import DIM, MODEL


def from_environment() -> Flask:
    """The application over ``PEER_WEIGHTS`` and ``PEER_VECTORS`` on ``PEER_THREADS``."""
    threads = int(os.environ["PEER_THREADS"])
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    model = open_clip.create_model(MODEL, pretrained=None)
    model.load_state_dict(torch.load(os.environ["PEER_WEIGHTS"], weights_only=True))
    model.eval()
    tokenizer = open_clip.get_tokenizer(MODEL)
    index = faiss.IndexFlatIP(DIM)
    index.add(np.load(os.environ["PEER_VECTORS"]))
    app = Flask("peer")

    @app.post("/search")
    def search() -> dict[str, Any]:
        body = request.get_json()
        with torch.no_grad():
            features = model.encode_text(tokenizer([body["query"]]))
            features = torch.nn.functional.normalize(features, dim=-1)
        similarities, found = index.search(features.numpy(), body["k"])
        return {
            "results": [
                {"image_path": f"images/{position:06d}.jpg", "similarity": similarity}
                for position, similarity in zip(
                    found[0].tolist(), similarities[0].tolist(), strict=True
                )
            ]
        }

    return app


def main() -> None:
    """Serve until stopped."""
    port, server = int(sys.argv[1]), sys.argv[2]
    app = from_environment()
    if server == "waitress":
        from waitress import serve

        serve(app, host="127.0.0.1", port=port, threads=4)
    else:
        app.run("127.0.0.1", port, threaded=True)


if __name__ == "__main__":
    main()
