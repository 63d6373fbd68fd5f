"""What is taken over of a request: its id, and the trace of a valid `traceparent`."""

import asyncio
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.correlation import trace_of
from service.runtime.log import JsonFormatter, add_fields

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = [
    f"00-{TRACE}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-00",
    f"00-{TRACE}-{PARENT}-ff",
    f"01-{TRACE}-{PARENT}-01",
    f"cc-{TRACE}-{PARENT}-01-what-the-future-brings",
]
INVALID = [
    "",
    TRACE,
    f"ff-{TRACE}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-01-more",
    f"00-{TRACE}-{PARENT}-01-",
    f"cc-{TRACE}-{PARENT}-01.more",
    f"00-{TRACE.upper()}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE[1:]}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}0-01",
    f"00-{TRACE}-{PARENT}",
    f"00-{TRACE}-{PARENT}-0g",
    f" 00-{TRACE}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-01\n",
    f"0-{TRACE}-{PARENT}-01",
]


@pytest.mark.parametrize("traceparent", VALID)
def test_valid_trace_is_taken_over(traceparent: str) -> None:
    """Version 00 as it is, later ones with what they may add."""
    assert trace_of([traceparent]) == {"trace_id": TRACE, "parent_id": PARENT}


@pytest.mark.parametrize("traceparent", INVALID)
def test_invalid_trace_is_none(traceparent: str) -> None:
    """What the specification does not allow is left."""
    assert trace_of([traceparent]) == {}


def test_two_traces_are_none() -> None:
    """A request is part of one trace."""
    assert trace_of(VALID[:2]) == {}


@given(st.text(st.sampled_from("0123456789abcdefg-"), max_size=70))
def test_whatever_is_taken_is_an_id(traceparent: str) -> None:
    """What gets into the log is of hexadecimal digits, in its length."""
    for name, value in trace_of([traceparent]).items():
        assert len(value) == {"trace_id": 32, "parent_id": 16}[name]
        assert set(value) <= set("0123456789abcdef")


async def test_fields_are_of_one_context() -> None:
    """Each request's lines have its own fields, also those of tasks that it starts."""

    def line() -> dict[str, str]:
        written: dict[str, str] = json.loads(JsonFormatter().format(logging.makeLogRecord({"msg": "m"})))
        return written

    async def serve(request_id: str) -> dict[str, str]:
        add_fields({"request_id": request_id, "level": "not"})
        await asyncio.sleep(0)
        return await asyncio.create_task(logged())

    async def logged() -> dict[str, str]:
        return line()

    first, second = await asyncio.gather(asyncio.create_task(serve("1")), asyncio.create_task(serve("2")))
    assert (first["request_id"], second["request_id"]) == ("1", "2")
    assert first["level"] != "not"
    assert "request_id" not in line()
