"""What opens, and what does not."""

from __future__ import annotations

import pytest

from serving.errors import RequestError
from serving.keys import Keys
from tests.serving.called import answers, call, scope


@pytest.mark.parametrize(
    ("given", "opens"),
    [
        (b"Bearer one", True),
        (b"bearer two", True),
        (b"BEARER  one ", True),
        (b"Bearer three", False),
        (b"Basic one", False),
        (b"one", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("path", ["/search", "/livez"])
def test_a_key_opens(given: bytes | None, opens: bool, path: str) -> None:
    headers = {} if given is None else {b"authorization": given}
    about = scope(path=path, state={"status": 0, "headers": headers})
    app = Keys(answers, [b"one", b"two"])
    if opens or path == "/livez":
        assert call(app, about)[0]["status"] == 200
        return
    with pytest.raises(RequestError) as refused:
        call(app, about)
    assert refused.value.status == 401
    assert refused.value.message == "this service asks for the header 'Authorization: Bearer KEY'"
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
