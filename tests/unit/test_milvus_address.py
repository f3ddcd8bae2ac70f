from __future__ import annotations

import pytest

from models.milvus.address import Address
from serving.settings import Settings


@pytest.mark.parametrize(
    ("given", "address", "told"),
    [
        (
            "milvus+http://host:19530/photos",
            Address("http://host:19530", "photos"),
            "http://host:19530/photos",
        ),
        (
            "milvus+https://host/base/photos",
            Address("https://host", "photos", "base"),
            "https://host/base/photos",
        ),
        ("milvus+file:///data/p%20q.db", Address("/data/p q.db", "sightline"), "/data/p q.db"),
    ],
)
def test_an_address_is_read(given: str, address: Address, told: str) -> None:
    assert Address.parse(given) == address
    assert str(address) == told
    assert address.is_file == given.startswith("milvus+file")
    assert Settings(collection=given).address == address


@pytest.mark.parametrize(
    "given",
    [
        "http://host/photos",
        "milvus+http://host",
        "milvus+http:///photos",
        "milvus+http://host/a/b/c",
        "milvus+http://host/a-b",
        "milvus+http://host/a?b=c",
        "milvus+file:///data/photos",
        "milvus+file://host/photos.db",
        "",
    ],
)
def test_what_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="milvus\\+http://HOST:19530/NAME"):
        Address.parse(given)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="SIGHTLINE_COLLECTION_TOKEN") as refused:
        Address.parse("milvus+http://root:secret@host/photos")
    assert "secret" not in str(refused.value)


def test_a_file_is_for_one_process() -> None:
    with pytest.raises(ValueError, match="one process"):
        Settings(collection="milvus+file:///p.db", workers=2)
    Settings(collection="milvus+http://host/p", workers=2)
