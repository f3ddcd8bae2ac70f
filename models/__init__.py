"""What the service runs: tokenizer, encoders, index, items and the bundle that joins them.

Nothing in here knows of torch, of BentoML or of the build.
"""

import os

# ONNX Runtime reports its use to its maker unless this is set before it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# OpenMP's threads otherwise spin for milliseconds after each search, on a core that the next
# batch's encoder needs: a busy machine took four times as long.  Read once, when FAISS is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
