"""What the service runs: tokenizer, encoders, index, items and the bundle that joins them.

Nothing in here knows of torch, of BentoML or of the build.
"""

import os

# ONNX Runtime reports its use to its maker unless this is set before it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
