"""What the service runs: tokenizer, encoders, index, items and the bundle that joins them.

Nothing in here knows of torch, of BentoML or of the build.
"""
