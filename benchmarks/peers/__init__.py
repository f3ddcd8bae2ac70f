"""What people would use instead, each as its own process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.corpus import Corpus
from benchmarks.servers import Command

Work = Literal["search", "encode"]


@dataclass(frozen=True)
class Peer:
    """A server under test.

    ``family`` is the peer whose best server counts; ``body`` makes a request's JSON of a
    query, sent to ``path``; ``answered`` says whether an answer's JSON is what was asked for.
    """

    name: str
    family: str
    work: Work
    command: Command
    path: str
    body: Callable[[str], dict[str, Any]]
    answered: Callable[[Any], bool]
    about: str = ""


@dataclass(frozen=True)
class Setting:
    """What peers are made from: the corpus, how many threads, where environments are."""

    corpus: Corpus
    threads: int
    environments: Path


Maker = Callable[[Setting], Sequence[Peer]]
