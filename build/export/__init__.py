"""open_clip to ONNX: with the demo model's recipe the only place that imports torch.

>>> checkpoint = load_checkpoint("ViT-B-32", "openai")
>>> card = export(checkpoint, Path("artifacts/vit-b-32"), "auto")
>>> card.text_precision, card.verification.int8_overlap_at_10
('int8', 0.984)
"""

from build.export.checkpoint import Checkpoint, load_checkpoint
from build.export.package import export
from build.export.sources import RANDOM

__all__ = ["RANDOM", "Checkpoint", "export", "load_checkpoint"]
