"""The log: one JSON object a line, with all that a record says."""

import json
import logging
import sys
from typing import Any

import pytest

from service.runtime import log


def formatted(**attributes: Any) -> dict[str, Any]:
    """What the formatter makes of a record with such attributes."""
    record = logging.makeLogRecord({"name": "a.b", "levelname": "INFO", "msg": "hello", **attributes})
    line = log.JsonFormatter().format(record)
    assert "\n" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_line_has_time_level_logger_and_message() -> None:
    """A plain record is four fields; time is UTC in ISO 8601 with milliseconds."""
    assert formatted(created=1_532_605_671.002, msg="hello %s", args=("you",)) == {
        "time": "2018-07-26T11:47:51.002Z",
        "level": "INFO",
        "logger": "a.b",
        "message": "hello you",
    }


def test_extra_fields_stand_beside() -> None:
    """What `extra` adds is a field, as JSON where it can be, else as text; it never replaces the record's own."""
    fields = formatted(request_id="r", count=1, error=ValueError("x"), level="FAKE", time="never")
    assert (fields["request_id"], fields["count"], fields["error"]) == ("r", 1, "x")
    assert fields["level"] == "INFO"
    assert fields["time"] != "never"


def test_exception_is_in_the_same_line() -> None:
    """An exception is its type and its traceback, as strings of the one line."""
    try:
        dict[str, int]()["missing\nthing"]
    except KeyError:
        fields = formatted(exc_info=sys.exc_info())
    assert fields["exception"] == "KeyError"
    assert fields["traceback"].startswith("Traceback (most recent call last):\n")


def test_text_that_is_no_unicode_is_written() -> None:
    """Half a surrogate pair, as in a broken path, doesn't break the line."""
    assert formatted(path="\udcff", msg="line\nbreak")["message"] == "line\nbreak"


def test_configure_writes_from_the_level_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """After `configure` records of the level or above are lines on stderr, others are dropped."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    # pytest's own handlers stay in place: `configure` would close them.
    root.handlers = []
    try:
        log.configure("WARNING")
        logging.getLogger("x").info("not this")
        logging.getLogger("x").warning("this")
    finally:
        root.handlers, root.level = before
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert json.loads(line)["message"] == "this"
    assert captured.out == ""
