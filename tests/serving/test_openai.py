"""OpenAI's embeddings by OpenAI's own client, and what it cannot send by hand."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from models.bundle import Bundle
from serving.app import App
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask, listening

TEXTS = ["a red fox", "a house by the sea", "snow"]
DATA_URL = f"data:image/png;base64,{base64.b64encode(image_bytes(1)).decode()}"


@pytest.fixture
def app(make: Make) -> App:
    return make(protocols="openai", api_key="sk-1")


@pytest.fixture
def client(app: App) -> Iterator[openai.OpenAI]:
    with (
        listening(app) as port,
        openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-1") as client,
    ):
        yield client


def encoded(app: App, **body: Any) -> Any:
    headers = {"Authorization": "Bearer sk-1"}
    return ask(app, "POST", "/encode", json=body, headers=headers).json()["embeddings"]


def post(app: App, **body: Any) -> Any:
    headers = {"Authorization": "Bearer sk-1"}
    return ask(app, "POST", "/v1/embeddings", json=body, headers=headers)


def test_the_models_are_one(client: openai.OpenAI, opened: Bundle) -> None:
    [model] = client.models.list().data
    assert (model.id, model.object) == (opened.manifest.model.name, "model")
    assert model.created > 1_700_000_000


def test_texts_have_the_vectors_that_encode_gives(
    client: openai.OpenAI, app: App, opened: Bundle
) -> None:
    model = opened.manifest.model.name
    expected = encoded(app, texts=TEXTS)
    # The client asks for base64 by itself.
    for encoding in (openai.omit, "base64", "float"):
        answer = client.embeddings.create(model=model, input=TEXTS, encoding_format=encoding)
        assert [one.index for one in answer.data] == [0, 1, 2]
        found = [
            np.frombuffer(base64.b64decode(one.embedding), "<f4")
            if isinstance(one.embedding, str)
            else one.embedding
            for one in answer.data
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert answer.model == model
        tokens = sum(map(len, opened.tokenizer.encode(TEXTS)))
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == tokens
    dim = opened.manifest.model.embedding_dim
    [alone] = client.embeddings.create(model=model, input=TEXTS[0], dimensions=dim).data
    np.testing.assert_allclose(alone.embedding, expected[0], rtol=1e-6)


def test_as_many_texts_as_openai_takes(client: openai.OpenAI, app: App, opened: Bundle) -> None:
    texts = [f"fox {number}" for number in range(2048)]
    model = opened.manifest.model.name
    answer = client.embeddings.create(model=model, input=texts)
    assert len(answer.data) == 2048
    for place in (0, 255, 256, 2047):
        [expected] = encoded(app, texts=[texts[place]])
        np.testing.assert_allclose(answer.data[place].embedding, expected, atol=1e-6)
    with pytest.raises(openai.BadRequestError, match="at most 2048"):
        client.embeddings.create(model=model, input=[*texts, "one more"])


def test_langchain_finds_the_same(app: App, opened: Bundle) -> None:
    with listening(app) as port:
        embeddings = OpenAIEmbeddings(
            base_url=f"http://127.0.0.1:{port}/v1",
            api_key=SecretStr("sk-1"),
            model=opened.manifest.model.name,
            # As docs/protocols.md says: without it tokens are sent, of a model of OpenAI's.
            check_embedding_ctx_length=False,
        )
        documents = embeddings.embed_documents(TEXTS)
        query = embeddings.embed_query(TEXTS[1])
    expected = encoded(app, texts=TEXTS)
    np.testing.assert_allclose(documents, expected, rtol=1e-6)
    np.testing.assert_allclose(query, expected[1], rtol=1e-6)


def test_images_as_jina_and_infinity_send_them(app: App) -> None:
    [fox], [photo] = encoded(app, texts=["fox"]), encoded(app, images=[DATA_URL])
    of_jina = post(app, input=[{"image": DATA_URL}, "fox", {"text": "fox"}]).json()
    assert [one["embedding"] for one in of_jina["data"]] == [photo, fox, fox]
    of_infinity = post(app, modality="image", input=[DATA_URL]).json()
    assert [one["embedding"] for one in of_infinity["data"]] == [photo]
    assert of_infinity["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
    assert post(app, modality="image", input=DATA_URL).json()["data"] == of_infinity["data"]
    assert post(app, input={"image": DATA_URL}).json()["data"] == of_infinity["data"]


@pytest.mark.parametrize(
    ("asked", "raised", "param", "message"),
    [
        ({"input": [1, 2]}, openai.BadRequestError, "input", "tokens are not taken"),
        ({"input": [[1, 2], [3]]}, openai.BadRequestError, "input", "tokens are not taken"),
        ({"input": ""}, openai.BadRequestError, "input.0.text", "at least 1 character"),
        ({"input": []}, openai.BadRequestError, "input", "at least 1 item"),
        ({"dimensions": 3}, openai.BadRequestError, "dimensions", "cannot be cut"),
        ({"model": "text-embedding-3"}, openai.NotFoundError, "model", "there is no 'text-"),
        ({"encoding_format": "int8"}, openai.BadRequestError, "encoding_format", "'base64'"),
        ({"input": [{}]}, openai.BadRequestError, "input.0", "either 'text' or 'image'"),
        (
            {"input": [{"image": DATA_URL, "text": "a fox"}]},
            openai.BadRequestError,
            "input.0",
            "either 'text' or 'image'",
        ),
        ({"input": [{"image": "eA=="}] * 65}, openai.BadRequestError, "input", "at most 64"),
        (
            {"input": [{"image": "https://example.org/fox.jpg"}]},
            openai.BadRequestError,
            "input.0.image",
            "no address is fetched",
        ),
    ],
)
def test_an_error_is_the_client_s_own(
    client: openai.OpenAI,
    opened: Bundle,
    asked: dict[str, Any],
    raised: type[openai.APIStatusError],
    param: str,
    message: str,
) -> None:
    given = {"model": opened.manifest.model.name, "input": "a fox"} | asked
    with pytest.raises(raised) as caught:
        client.embeddings.create(**given)
    error = caught.value
    assert (error.param, error.type) == (param, "invalid_request_error")
    assert message in error.message


def test_errors_before_the_route_have_the_shape_too(client: openai.OpenAI, app: App) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="wrong").models.list()
    assert caught.value.code == "invalid_api_key"
    response = ask(app, "GET", "/v1/embeddings", headers={"Authorization": "Bearer sk-1"})
    assert response.status_code == 405
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    app.state.close()
    with pytest.raises(openai.InternalServerError) as starting:
        client.with_options(max_retries=0).models.list()
    assert starting.value.type == "server_error"
