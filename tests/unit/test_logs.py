"""The lines of JSON that a service logs."""

from __future__ import annotations

import importlib
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from serving import logs


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, afterwards as it was."""
    logger, faiss = logging.getLogger(), logging.getLogger("faiss")
    handlers, level, of_faiss = logger.handlers[:], logger.level, faiss.level
    yield logger
    logger.handlers[:] = handlers
    # Harmless: as they were.
    logger.setLevel(level)
    # Harmless: as it was before, too.
    faiss.setLevel(of_faiss)


def line(**given: Any) -> dict[str, Any]:
    record = logging.makeLogRecord(
        {
            "name": "sightline",
            "levelname": "WARNING",
            "msg": "%s of %d",
            "args": ("one", 2),
            "created": 1.25,
            **given,
        }
    )
    written: dict[str, Any] = json.loads(logs.JsonLines().format(record))
    return written


def test_a_record_is_one_line() -> None:
    expected = {
        "time": "1970-01-01T00:00:01.250+00:00",
        "level": "WARNING",
        "logger": "sightline",
        "message": "one of 2",
    }
    assert line() == expected
    # What who logs has given, of whatever type; not what uvicorn adds for terminals.
    given = {"route": "/search", "path": logging}
    assert line(**given, color_message="x", asctime="y", message="z") == expected | {
        "route": "/search",
        "path": str(logging),
    }


def test_what_a_library_marks_every_record_with_is_not_in_it() -> None:
    was = logging.getLogRecordFactory()

    def marking(*args: Any, **given: Any) -> logging.LogRecord:
        record = was(*args, **given)
        record.__dict__["_ray_timestamp_ns"] = 1
        return record

    logging.setLogRecordFactory(marking)
    try:
        assert set(line()) == {"time", "level", "logger", "message"}
    finally:
        logging.setLogRecordFactory(was)


def test_it_names_the_request_it_belongs_to() -> None:
    token = logs.request_id.set("mine")
    try:
        assert line()["request_id"] == "mine"
    finally:
        logs.request_id.reset(token)
    assert "request_id" not in line()


def test_an_exception_is_in_the_line() -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        written = line(exc_info=sys.exc_info())
    assert written["exception"].endswith("ValueError: wrong")
    assert written["exception"].startswith("Traceback")


def test_everything_that_is_logged_goes_to_standard_error(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = io.StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    root.handlers[:] = [logging.NullHandler()]
    logs.configure()
    logging.getLogger("anything").info("told")
    logging.getLogger("anything").debug("not told")
    logging.getLogger("faiss").info("not told")
    logging.getLogger("faiss").warning("told, too")
    messages = [json.loads(each)["message"] for each in error.getvalue().splitlines()]
    assert messages == ["told", "told, too"]
    assert len(root.handlers) == 1


@pytest.mark.parametrize(
    "module",
    ["app", "batcher", "edge", "error_answers", "reload", "remote", "speech", "supervisor"],
)
def test_all_that_is_ours_is_logged_under_our_name(module: str) -> None:
    assert importlib.import_module(f"serving.{module}").logger.name == "sightline"
