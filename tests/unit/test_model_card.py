"""What a model package says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.damage import DamagedError
from models.manifest import Manifest
from tests.documents import manifest, with_checksum


def test_golden_embeddings_are_as_wide_as_the_model_s() -> None:
    fields = manifest().model_dump(mode="json", by_alias=True)
    golden = fields["model"]["golden"]
    for wrong, said in [("AAAA", "a golden embedding is not"), ("%", "embedding is not base64")]:
        for changed in (
            golden | {"picture": wrong},
            golden | {"texts": [golden["texts"][0] | {"embedding": wrong}]},
        ):
            altered = fields | {"model": fields["model"] | {"golden": changed}}
            with pytest.raises(DamagedError, match=said):
                Manifest.parse(with_checksum(altered), Path("/b/manifest.json"))
