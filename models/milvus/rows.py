"""An image as a row of a Milvus collection.

    id          the primary key: 16 hex digits (models/items.py)
    position    of two images that are equally near, the lower one comes first
    embedding   float32 [dim], of length one
    item        all else that is known of it, as JSON, to be shown
    path        in hex, which sorts as the path does
    facts       what a filter looks for (models/milvus/expressions.py)
    values      what a range of a filter looks at
    words       what is said of it (models/milvus/said.py), where Milvus has a BM25 function
    said        the same, as that reads it
    bm25        what the function makes of it
    checksum    of the whole row, by which a second load sees what has changed

The collection's own description says whose embeddings they are, and its fields, which release of
ours has filled it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from pymilvus import CollectionSchema, DataType, Function, FunctionType, MilvusClient

from models.embeddings import Vectors
from models.installation import command
from models.items import Item
from models.milvus import expressions, said
from models.milvus.address import Address
from models.model_card import ModelCard

# What Milvus takes: bytes of a text or of JSON, and members of an array.
MOST_BYTES = 65_535
MOST_FACTS = 4096
_FORM = 2
# The field that a collection has where words can be searched, and one that all have since _FORM 2.
BM25 = "bm25"
_SINCE_THEN = "path"


class TooLargeError(Exception):
    """More is known of an image than a row of Milvus holds."""


def schema(dim: int, model: ModelCard, *, words: bool) -> CollectionSchema:
    """What a collection is made of.

    Args:
        dim: of an embedding.
        model: whose embeddings they are.
        words: whether Milvus has a BM25 function.
    """
    made = MilvusClient.create_schema(
        auto_id=False, enable_dynamic_field=False, description=described(model)
    )
    made.add_field("id", DataType.VARCHAR, is_primary=True, max_length=16)
    made.add_field("position", DataType.INT64)
    made.add_field("embedding", DataType.FLOAT_VECTOR, dim=dim)
    made.add_field("item", DataType.VARCHAR, max_length=MOST_BYTES)
    made.add_field("path", DataType.VARCHAR, max_length=MOST_BYTES)
    made.add_field("facts", DataType.ARRAY, element_type=DataType.INT64, max_capacity=MOST_FACTS)
    made.add_field("values", DataType.JSON)
    made.add_field("checksum", DataType.INT64)
    if words:
        made.add_field(
            "words", DataType.ARRAY, element_type=DataType.INT64, max_capacity=said.MOST_WORDS
        )
        made.add_field("said", DataType.VARCHAR, max_length=said.MOST_BYTES, enable_analyzer=True)
        made.add_field(BM25, DataType.SPARSE_FLOAT_VECTOR)
        made.add_function(
            Function(
                name="count_words",
                function_type=FunctionType.BM25,
                input_field_names=["said"],
                output_field_names=[BM25],
            )
        )
    return made


def is_of_an_earlier_release(fields: Sequence[dict[str, Any]]) -> bool:
    """Whether a collection lacks what is searched today.

    Args:
        fields: of a collection, as pymilvus describes it.
    """
    return all(field["name"] != _SINCE_THEN for field in fields)


def earlier_release(address: Address) -> str:
    """What to tell of a collection that an earlier release has filled."""
    return (
        f"{address} was filled by an earlier release: fill another name with {command('load')}, "
        "and drop this one"
    )


def has_words(fields: Sequence[dict[str, Any]]) -> bool:
    """Whether what is said of images is in a collection.

    Args:
        fields: of a collection, as pymilvus describes it.
    """
    return any(field["name"] == BM25 for field in fields)


def described(model: ModelCard) -> str:
    """What the description of a collection says, by which another model's is told from it."""
    return json.dumps(
        {"sightline": _FORM, "model": model.name, "pretrained": model.pretrained}, sort_keys=True
    )


def rows(items: Sequence[Item], embeddings: Vectors, *, words: bool) -> list[dict[str, Any]]:
    """Some images as they are written.

    Args:
        items: what is known of them.
        embeddings: float32 ``[n, dim]``.
        words: whether what is said of them is written, too.

    Raises:
        TooLargeError: names an image and what of it is too large.
    """
    made = [_row(item, embedding) for item, embedding in zip(items, embeddings, strict=True)]
    if words:
        for one, (tokens, text) in zip(made, said.columns(items), strict=True):
            one |= {"words": tokens, "said": text}
    return made


def _row(item: Item, embedding: Vectors) -> dict[str, Any]:
    """An image without its words.

    Raises:
        TooLargeError: names the image and what of it is too large.
    """
    known = asdict(item)
    del known["id"], known["position"]
    text = json.dumps(known, ensure_ascii=False, sort_keys=True)
    facts, values = expressions.columns(item.metadata)
    path = expressions.of_text(item.image_path)
    for what, size, most in (
        ("bytes of texts and metadata", len(text.encode()), MOST_BYTES),
        ("bytes of values", len(json.dumps(values)), MOST_BYTES),
        ("hex digits of its path", len(path), MOST_BYTES),
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
        "path": path,
        "facts": facts,
        "values": values,
        "checksum": int.from_bytes(digest.digest()[:8], "big") >> 1,
    }


# What :func:`item` needs of a row.
ITEM = ["id", "position", "item"]


def item(stored: dict[str, Any]) -> Item:
    """An image as it was written."""
    return Item(id=stored["id"], position=stored["position"], **json.loads(stored["item"]))
