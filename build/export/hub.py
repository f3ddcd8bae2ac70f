"""The Hugging Face hub, where it answers; a plain word and no waiting where it does not."""

from __future__ import annotations

import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants

from build.errors import BuildError

# Enough for a slow line, and short beside the hub library's own five retries of each file.
_PATIENCE_SECONDS = 5.0


@contextmanager
def hub_or_cache(what: str) -> Iterator[None]:
    """Let libraries ask the hub where it answers, and only their cache where it does not.

    Without this each file that cannot be fetched is tried six times, for most of a minute.

    Args:
        what: what is being fetched, for the message.

    Raises:
        BuildError: the hub cannot be reached, and something was not in the cache.
    """
    trouble = None if constants.HF_HUB_OFFLINE else _trouble()
    before = constants.HF_HUB_OFFLINE
    # What HF_HUB_OFFLINE=1 sets; the variable itself is read when the library is imported.
    constants.HF_HUB_OFFLINE = before or trouble is not None
    try:
        yield
    except BuildError:
        raise
    except Exception as error:
        if trouble is not None:
            raise BuildError(
                f"{what} is not on this machine, and {constants.ENDPOINT} cannot be reached "
                f"({trouble}). Connect and try again, or give files: --pretrained FILE, or "
                "--model local-dir:FOLDER where the tokenizer is needed too."
            ) from error
        raise BuildError(f"{what} cannot be loaded: {first_line(error)}") from error
    finally:
        constants.HF_HUB_OFFLINE = before


def first_line(error: BaseException) -> str:
    """What an error says, without what follows its first line."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]


def _trouble() -> str | None:
    """Why the hub does not answer; None where it does.

    Asked in a thread, since a look-up of its name keeps to no time limit.
    """
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_ask()), daemon=True).start()
    try:
        return answers.get(timeout=_PATIENCE_SECONDS)
    except queue.Empty:
        return f"no answer within {_PATIENCE_SECONDS:g} seconds"


def _ask() -> str | None:
    request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS):
            return None
    except urllib.error.HTTPError:
        # It answers, if not to this.
        return None
    except (OSError, ValueError) as error:
        return first_line(getattr(error, "reason", None) or error)
