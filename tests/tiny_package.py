"""A model package of a few kilobytes with random weights, for tests of everything around it.

The graphs have the inputs and outputs of real ones: the image encoder a convolution, so
that likeness of images is likeness of vectors; the text encoder the mean of its tokens'
rows.  The golden embeddings are computed by numpy from the same weights, not by the graphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import tokenizers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from models.golden import pack
from models.golden_image import golden_image
from models.manifest import (
    IMAGE_ENCODER,
    TEXT_ENCODER,
    TOKENIZER,
    Golden,
    GoldenText,
    ModelCard,
    Preprocessing,
    TextTokens,
    Tolerance,
    Verification,
    record_files,
)

DIM = 24
SIDE = 32
CONTEXT_LENGTH = 16
_CHANNELS = 12
_PATCH = 8
_CORPUS = ["a red fox in the snow", "a guitar and a violin", "a photo of a house by the sea"]
_START, _END = "<|startoftext|>", "<|endoftext|>"
_MEAN, _STD = 0.5, 0.25
_SLOPE = 0.1
_GOLDEN_TEXTS = (
    "fox",
    "a red fox in the snow",
    "A Photo of a HOUSE",
    "café, 50% off!",
    "one two three " * 9,
)
_Node = onnx.NodeProto
_Floats = NDArray[np.float32]
_Array = _Floats | NDArray[np.int64]


def write_tiny_package(folder: Path, *, seed: int = 0, pretrained: str = "tiny") -> ModelCard:
    """Write a package into ``folder``; another seed gives other weights."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / TOKENIZER))
    table = random.standard_normal((tokenizer.get_vocab_size(), DIM)).astype(np.float32)
    image_weights = _image_weights(random)
    onnx.save(_text_encoder(table), folder / TEXT_ENCODER)
    onnx.save(_image_encoder(image_weights), folder / IMAGE_ENCODER)
    end = tokenizer.token_to_id(_END)
    card = ModelCard(
        name="tiny",
        pretrained=pretrained,
        embedding_dim=DIM,
        context_length=CONTEXT_LENGTH,
        any_length=True,
        text_precision="fp32",
        tokens=TextTokens(
            cleaning="lower", start_id=tokenizer.token_to_id(_START), end_id=end, pad_id=0
        ),
        preprocessing=Preprocessing(height=SIDE, width=SIDE, mean=(_MEAN,) * 3, std=(_STD,) * 3),
        verification=Verification(texts=0, images=0, max_text_difference=0, max_image_difference=0),
        golden=_golden(tokenizer, table, image_weights),
        versions={},
        created="2026-01-01T00:00:00+00:00",
        files=record_files(folder, [TOKENIZER, TEXT_ENCODER, IMAGE_ENCODER]),
    )
    card.write(folder)
    return card


def _tokenizer() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        # Id 0 pads, as in CLIP's own vocabulary, where it is an ordinary token.
        special_tokens=["<pad>", _START, _END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (_START, _END)],
    )
    tokenizer.enable_truncation(CONTEXT_LENGTH)
    return tokenizer


def _golden(tokenizer: tokenizers.Tokenizer, table: _Floats, weights: dict[str, _Floats]) -> Golden:
    tolerance = Tolerance(largest=1e-5, because="float32 sums in another order")
    texts = []
    for text in _GOLDEN_TEXTS:
        cleaned = " ".join(text.lower().split())
        rows = table[tokenizer.encode(cleaned).ids].astype(np.float64)
        texts.append(GoldenText(text=text, embedding=_packed(rows.sum(axis=0))))
    return Golden(
        computed_by="numpy, in float64",
        texts=texts,
        text_tolerance=tolerance,
        image=_packed(_image_truth({name: w.astype(float) for name, w in weights.items()})),
        image_tolerance=tolerance,
    )


def _image_truth(weights: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """What the image encoder should give for the golden image, before it is normalised."""
    scaled = golden_image().resize((SIDE * 400 // 300, SIDE), Image.Resampling.BICUBIC)
    left = (scaled.width - SIDE) // 2
    pixels = np.asarray(scaled.crop((left, 0, left + SIDE, SIDE))) / 255
    patches = SIDE // _PATCH
    by_patch = ((pixels - _MEAN) / _STD).reshape(patches, _PATCH, patches, _PATCH, 3)
    seen = np.einsum("aibjc,fcij->fab", by_patch, weights["filters"])
    active = np.where(seen < 0, _SLOPE * seen, seen)
    return active.ravel() @ weights["projection"] + weights["bias"]


def _packed(vector: NDArray[np.float64]) -> str:
    return pack((vector / np.linalg.norm(vector)).astype(np.float32))


def _text_encoder(table: _Floats) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Greater", ["input_ids", "padding"], ["known"]),
        helper.make_node("Cast", ["known"], ["weights"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weights", "last"], ["columns"]),
        helper.make_node("Mul", ["rows", "columns"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "tokens"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["embedding"], axis=-1, p=2),
    ]
    constants: dict[str, _Array] = {
        "table": table,
        "padding": np.array(0, dtype=np.int64),
        "last": np.array([-1], dtype=np.int64),
        "tokens": np.array([1], dtype=np.int64),
    }
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    return _model(nodes, constants, ids)


def _image_weights(random: np.random.Generator) -> dict[str, _Floats]:
    patches = (SIDE // _PATCH) ** 2
    return {
        "filters": random.standard_normal((_CHANNELS, 3, _PATCH, _PATCH)).astype(np.float32),
        "projection": random.standard_normal((_CHANNELS * patches, DIM)).astype(np.float32),
        "bias": random.standard_normal(DIM).astype(np.float32),
    }


def _image_encoder(weights: dict[str, _Floats]) -> onnx.ModelProto:
    nodes = [
        helper.make_node(
            "Conv",
            ["pixel_values", "filters"],
            ["patches"],
            kernel_shape=[_PATCH, _PATCH],
            strides=[_PATCH, _PATCH],
        ),
        helper.make_node("LeakyRelu", ["patches"], ["active"], alpha=_SLOPE),
        helper.make_node("Flatten", ["active"], ["flat"]),
        helper.make_node("Gemm", ["flat", "projection", "bias"], ["projected"]),
        helper.make_node("LpNormalization", ["projected"], ["embedding"], axis=-1, p=2),
    ]
    shape = ["batch", 3, SIDE, SIDE]
    pixels = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)
    return _model(nodes, weights, pixels)


def _model(
    nodes: Sequence[_Node], constants: Mapping[str, _Array], given: onnx.ValueInfoProto
) -> onnx.ModelProto:
    found = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM])
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(list(nodes), "tiny", [given], [found], weights)
    opset = helper.make_opsetid("", 21)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)
