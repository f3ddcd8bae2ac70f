"""Flask, PyTorch's open_clip at 77 tokens and a flat FAISS index: what this replaces.

python -m benchmarks.peers.flask_stack VECTORS.npy PORT THREADS {flask,waitress}
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import faiss
import numpy as np
import open_clip
import torch
from flask import Flask, request


def main() -> None:
    """Serve ``POST /search`` until stopped."""
    vectors, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    model, _, _ = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    model.eval()
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    index = faiss.IndexFlatIP(512)
    index.add(np.load(vectors))
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
                {"image_path": f"pictures/{position}.jpg", "similarity": similarity}
                for position, similarity in zip(
                    found[0].tolist(), similarities[0].tolist(), strict=True
                )
            ]
        }

    if sys.argv[4] == "waitress":
        from waitress import serve

        serve(app, host="127.0.0.1", port=port, threads=4)
    else:
        app.run("127.0.0.1", port, threaded=True)


if __name__ == "__main__":
    main()
