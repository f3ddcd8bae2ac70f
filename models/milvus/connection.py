"""A connection to Milvus, made when it is first needed, and anew after Milvus was away."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import grpc
from pymilvus import MilvusClient, MilvusException

from models.elsewhere import UnavailableError
from models.milvus.address import Address

logger = logging.getLogger("sightline")

T = TypeVar("T")

# How long Milvus may take for an answer; a file, which is looked through in Python, and by whom
# there are few.
_SECONDS, _SECONDS_OF_A_FILE = 2.0, 8.0


class SlowError(UnavailableError):
    """Milvus has not answered in time."""


class Connection:
    """Asks Milvus; safe from several threads.

    pymilvus connects again by itself when a server comes back, and fails at once as long as there
    is none.

    ``seconds`` is how long an answer may take.

    Args:
        address: of a collection.
        token: ``USER:PASSWORD`` or an API key; None where the server asks for none.
        check: is called with a new connection, and again after one has failed; raises an
            :class:`UnavailableError` where the collection is not what it must be.
    """

    def __init__(
        self, address: Address, token: str | None, check: Callable[[MilvusClient], None]
    ) -> None:
        self.address = address
        self.seconds = _SECONDS_OF_A_FILE if address.is_file else _SECONDS
        self._token = token
        self._check = check
        self._client: MilvusClient | None = None
        self._checked = False
        self._failed = -math.inf
        self._lock = threading.Lock()
        # Harmless: each failure comes to the caller, who knows what to tell of it.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

    def ask(self, question: Callable[[MilvusClient], T]) -> T:
        """What Milvus answers.

        Raises:
            SlowError: it has not done so in time.
            UnavailableError: it cannot be reached, or refuses.
        """
        try:
            return question(self._ready())
        except grpc.RpcError as error:
            self._checked = False
            if isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise SlowError(f"{self.address} has not answered in {self.seconds:g} s") from None
            raise self._unavailable(error) from None
        except MilvusException as error:
            self._checked = False
            raise self._unavailable(error) from None

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _ready(self) -> MilvusClient:
        if self._client is not None and self._checked:
            return self._client
        began = time.monotonic()
        # Who waits does not try once more by himself: all of them together would wait for long.
        if not self._lock.acquire(timeout=self.seconds):
            raise UnavailableError(f"{self.address} does not answer")
        try:
            if self._failed > began:
                raise UnavailableError(f"{self.address} does not answer")
            return self._connected()
        except Exception:
            self._failed = time.monotonic()
            raise
        finally:
            self._lock.release()

    def _connected(self) -> MilvusClient:
        if self._client is None:
            self._client = MilvusClient(
                self.address.uri,
                token=self._token or "",
                db_name=self.address.database,
                timeout=self.seconds,
            )
        if not self._checked:
            self._check(self._client)
            self._checked = True
        return self._client

    def _unavailable(self, error: Exception) -> UnavailableError:
        logger.warning("%s does not answer: %s", self.address, error)
        return UnavailableError(f"{self.address} does not answer")
