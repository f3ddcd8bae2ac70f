"""What the files of a model package and of a bundle are called."""

from __future__ import annotations

MODEL_CARD = "model.json"
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
TEXT_ENCODER = "text_encoder.onnx"
IMAGE_ENCODER = "image_encoder.onnx"
INDEX = "index.faiss"
# Of an index of codes: see models/projection.py.
PROJECTION = "projection.npy"
EMBEDDINGS = "embeddings.npy"
ROW_CHECKSUMS = "embeddings.checksums.npy"
LOOKS = "looks.bin"
ITEMS = "items.sqlite"
THUMBNAILS = "thumbnails.sqlite"
# Of a bundle that was changed since it was written: see models/rows.py.
ROWS = "rows.npy"
CHANGED_EMBEDDINGS = "embeddings.changed.npy"
CHANGED_THUMBNAILS = "thumbnails.changed.sqlite"
# What a changed bundle has beside the rest: all of it or nothing.
CHANGED = (ROWS, CHANGED_EMBEDDINGS, CHANGED_THUMBNAILS)
# What is searched, which a service whose collection lies elsewhere needs none of.
SEARCHED = (INDEX, PROJECTION, EMBEDDINGS, ROW_CHECKSUMS, LOOKS, *CHANGED)
# What the build measures an index of codes with: see models/tuning.py.
TUNING = "tuning.npz"
# What a service needs of the items whose collection lies elsewhere: see models/summary.py.
SUMMARY = "summary.sqlite"
# What a bundle is called in a model store, whatever its folder was called.
STORED_BUNDLE = "sightline-bundle"
