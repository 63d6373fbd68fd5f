"""Kinds of arguments."""

from argparse import ArgumentTypeError

import pytest

from consumers.commands.arguments import instant_ms, job_name
from consumers.commands.terminal import instant


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("0", 0),
        ("1532605670471", 1_532_605_670_471),
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T00:00:01.5", 1_500),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-02", 86_400_000),
    ],
)
def test_instants(text: str, time_ms: int) -> None:
    """Unix milliseconds as they are; ISO 8601 with its offset, without one in UTC."""
    assert instant_ms(text) == time_ms


@pytest.mark.parametrize("text", ["", "-1", "1.5", "now", "2026-13-01", "12345678901234567"])
def test_what_is_no_instant(text: str) -> None:
    """Anything else is refused, and the error says what is allowed."""
    with pytest.raises(ArgumentTypeError, match="neither ISO 8601"):
        instant_ms(text)


def test_jobs_are_named_as_in_events() -> None:
    """A job is named by its project and id, with a slash between."""
    assert job_name("p-1/j_2") == ("p-1", "j_2")
    for text in ("p", "p/", "/j", "p/j/k", "p/j\n", f"p/{'j' * 65}"):
        with pytest.raises(ArgumentTypeError):
            job_name(text)


def test_instants_are_shown_in_utc() -> None:
    """To the millisecond; what no calendar has as a number."""
    assert instant(1_532_605_670_471) == "2018-07-26T11:47:50.471Z"
    assert instant(2**53 - 1) == "9007199254740991 ms"
