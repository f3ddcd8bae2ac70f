"""Colour spaces by the numbers in which they are defined, as ICC profiles and as formulas.

Formats: ICC.1:2010 (version 2 matrix profiles).  Primaries: SMPTE EG 432-1 (Display P3), Adobe RGB
(1998) and ROMM RGB, each adapted to the white of profiles (D50) by Bradford's method.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_D50 = np.array([0.9642, 1.0, 0.8249])
_D65 = np.array([0.95047, 1.0, 1.08883])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


@dataclass(frozen=True)
class Space:
    """Primaries as chromaticities, the white they belong to, and the exponent of the values."""

    name: str
    primaries: tuple[tuple[float, float], ...] = _SRGB
    white_is_d50: bool = False
    gamma: float = 2.2
    grey: bool = False

    def matrix(self) -> Array:
        """From its light to XYZ under D50; columns are the primaries."""
        white = _D50 if self.white_is_d50 else _D65
        primaries = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in self.primaries]).T
        matrix: Array = primaries * np.linalg.solve(primaries, white)
        return matrix if self.white_is_d50 else _adapted() @ matrix

    def in_srgb(self, values: Array) -> Array:
        """Values from 0 to 255, ``[..., 3]``, as sRGB's from 0 to 255."""
        light = (values / 255) ** self.gamma @ self.matrix().T
        light = np.clip(light @ np.linalg.inv(Space("sRGB").matrix()).T, 0, 1)
        curve = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        encoded: Array = 255 * curve
        return encoded


def _adapted() -> Array:
    cones = _BRADFORD @ np.stack([_D65, _D50]).T
    adapted: Array = np.linalg.inv(_BRADFORD) @ np.diag(cones[:, 1] / cones[:, 0]) @ _BRADFORD
    return adapted


DISPLAY_P3 = Space("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)))
ADOBE_RGB = Space("Adobe RGB", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)))
PRO_PHOTO = Space(
    "ProPhoto",
    ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105)),
    white_is_d50=True,
    gamma=1.8,
)


def profile(space: Space) -> bytes:
    """An ICC profile of a space."""

    def numbers(values: Array) -> bytes:
        return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(space.gamma * 256))
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + numbers(_D50),
    }
    if space.grey:
        tags[b"kTRC"] = curve
    else:
        for letter, column in zip((b"r", b"g", b"b"), space.matrix().T, strict=True):
            tags[letter + b"XYZ"] = b"XYZ " + bytes(4) + numbers(column)
            tags[letter + b"TRC"] = curve
    table, data, at = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, at + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sII4sI8sI12s44s",
        128 + len(body),
        b"lcms",
        0x02400000,
        b"mntr",
        b"GRAY" if space.grey else b"RGB ",
        b"XYZ ",
        bytes(12),
        b"acsp",
        bytes(4),
        0,
        0,
        bytes(4),
        0,
        bytes(8),
        0,
        numbers(_D50),
        bytes(44),
    )
    return header[:128] + body
