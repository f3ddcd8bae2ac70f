"""Images in Milvus: where a server of its own holds the embeddings, and says which are nearest."""
