"""An image as a row of a Milvus collection.

    id          the primary key: 16 hex digits (models/items.py)
    position    of two images that are equally near, the lower one comes first
    embedding   float32 [dim], of length one
    item        all else that is known of it, as JSON, to be shown
    facts       what a filter looks for (models/milvus/expressions.py)
    values      what a range of a filter looks at
    checksum    of the whole row, by which a second load sees what has changed

The collection's own description says whose embeddings they are.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from pymilvus import CollectionSchema, DataType, MilvusClient

from models.embeddings import Vectors
from models.items import Item
from models.milvus import expressions
from models.model_card import ModelCard

# What Milvus takes: bytes of a text or of JSON, and members of an array.
MOST_BYTES = 65_535
MOST_FACTS = 4096
_FORM = 1


class TooLargeError(Exception):
    """More is known of an image than a row of Milvus holds."""


def schema(dim: int, model: ModelCard) -> CollectionSchema:
    """What a collection is made of."""
    made = MilvusClient.create_schema(
        auto_id=False, enable_dynamic_field=False, description=described(model)
    )
    made.add_field("id", DataType.VARCHAR, is_primary=True, max_length=16)
    made.add_field("position", DataType.INT64)
    made.add_field("embedding", DataType.FLOAT_VECTOR, dim=dim)
    made.add_field("item", DataType.VARCHAR, max_length=MOST_BYTES)
    made.add_field("facts", DataType.ARRAY, element_type=DataType.INT64, max_capacity=MOST_FACTS)
    made.add_field("values", DataType.JSON)
    made.add_field("checksum", DataType.INT64)
    return made


def described(model: ModelCard) -> str:
    """What the description of a collection says, by which another model's is told from it."""
    return json.dumps(
        {"sightline": _FORM, "model": model.name, "pretrained": model.pretrained}, sort_keys=True
    )


def row(item: Item, embedding: Vectors) -> dict[str, Any]:
    """An image as it is written.

    Raises:
        TooLargeError: names the image and what of it is too large.
    """
    known = asdict(item)
    del known["id"], known["position"]
    text = json.dumps(known, ensure_ascii=False, sort_keys=True)
    facts, values = expressions.columns(item.metadata)
    for what, size, most in (
        ("bytes of texts and metadata", len(text.encode()), MOST_BYTES),
        ("bytes of values", len(json.dumps(values)), MOST_BYTES),
        ("facts", len(facts), MOST_FACTS),
    ):
        if size > most:
            raise TooLargeError(f"{item.image_path} has {size} {what}; Milvus takes {most}")
    vector = np.ascontiguousarray(embedding, dtype="<f4")
    digest = hashlib.sha256(f"{_FORM} {item.position} {text}".encode() + vector.tobytes())
    return {
        "id": item.id,
        "position": item.position,
        "embedding": vector,
        "item": text,
        "facts": facts,
        "values": values,
        "checksum": int.from_bytes(digest.digest()[:8], "big") >> 1,
    }


# What :func:`item` needs of a row.
ITEM = ["id", "position", "item"]


def item(stored: dict[str, Any]) -> Item:
    """An image as it was written."""
    return Item(id=stored["id"], position=stored["position"], **json.loads(stored["item"]))
