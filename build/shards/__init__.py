"""Embeddings in shards: parquet tables of some thousand images each, and a manifest.

A folder, on a disk or in a bucket, holds ``shard-00000.parquet`` and so on, with the images in
order of their paths, a row each (:mod:`build.shards.table`), and ``_sightline.json``
(:mod:`build.shards.documents`), which is there when all of them are.  ``_done/shard-00000.json``
says that a shard is finished, and of what it was made: what is finished is not made again.

Names that begin with ``_`` are left out by Arrow, Spark and DuckDB where a folder is read.
"""
