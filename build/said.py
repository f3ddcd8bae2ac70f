"""All that is said of images, and of each a checksum: what is the same need not be built again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from build.bundle_items import json_safe
from build.metadata.description import NOTHING_SAID, Description


@dataclass(frozen=True)
class Said:
    """What is said of images, by path.

    ``descriptions`` are what people and the images' files say, ``written`` what a captioner says of
    those that have none, and ``texts`` what can be read in them.
    """

    descriptions: Mapping[str, Description] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def of(self, path: str) -> Description:
        """What people and the file of an image say."""
        return self.descriptions.get(path, NOTHING_SAID)

    def checksums(self, paths: Sequence[str], contents: Sequence[bytes]) -> list[bytes]:
        """A checksum of each image and of what is said of it, 16 bytes.

        Args:
            paths: the images.
            contents: the SHA-256 of the content of each.
        """
        return [self._checksum(*one) for one in zip(paths, contents, strict=True)]

    def _checksum(self, path: str, content: bytes) -> bytes:
        one = self.of(path)
        said = [one.caption, one.alt_text, one.metadata, one.sources]
        told = json.dumps(
            [self.written.get(path), self.texts.get(path), *map(json_safe, said)]
        ).encode()
        return hashlib.blake2b(content + told, digest_size=16).digest()
