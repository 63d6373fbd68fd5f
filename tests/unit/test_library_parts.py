"""Parts of the client library without a server: server-sent events, pauses, tokens, partitions, what is loaded."""

import asyncio
import pickle
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

import gene_statistics
from gene_statistics import (
    ApiError,
    ClientClosedError,
    EventPublisher,
    GeneStatisticsError,
    InvalidAnswerError,
    InvalidEventError,
    InvalidTokenError,
    PublishTimeoutError,
    RateLimitedError,
    UnauthorizedError,
    UnreachableError,
)
from gene_statistics.kafka import security_options, topic_options
from gene_statistics.retries import Retries, parse_retry_after, pause_seconds
from gene_statistics.sse import ServerSentEvent, read_events
from gene_statistics.tokens import Tokens

# By BuiltInPartitioner.partitionForKey of Java's client 4.3.1, for 1, 4, 12 and 1000 partitions.
JAVA = [
    ("p/j", 0, 3, 7, 59),
    ("acme/job-1", 0, 0, 4, 892),
    ("acme/job-12", 0, 3, 7, 83),
    ("acme/job-123", 0, 1, 1, 633),
    ("e9993fc787d94b6c886cbaa340f9c0f4/180b9816-fb9f-454a-9537-09bee18834e0", 0, 3, 11, 747),
    ("e9993fc787d94b6c886cbaa340f9c0f4/180b9816-fb9f-454a-9537-09bee18834e1", 0, 0, 0, 824),
    ("0ea6b6ddcce65e6f8c78acb5b02ccc75/6f9619ff-8b86-d011-b42d-00cf4fc964ff", 0, 0, 4, 636),
    ("A_-z/0", 0, 0, 4, 268),
]


@pytest.mark.parametrize(("key", "partitions"), [(key, expected) for key, *expected in JAVA])
def test_the_partitioner_is_that_of_java(key: str, partitions: Sequence[int]) -> None:
    """As long as the library that the publisher uses has it."""
    chosen = [DefaultPartitioner()(key.encode(), list(range(count)), []) for count in (1, 4, 12, 1000)]
    assert chosen == list(partitions)


async def events_of(*chunks: bytes, most_bytes: int = 1000) -> list[ServerSentEvent]:
    async def come() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [event async for event in read_events(come(), most_bytes)]


STREAM = (
    b": hello\n\nevent: statistics\r\nid: 7\r\ndata: {\r\ndata:  1}\r\n\r\n:\n"
    b"retry: 5\nid:8\n\ndata: \xe6\xb5\x8b\n\nevent: as_of\n\nevent: cut off\ndata: x\n"
)
EVENTS = [ServerSentEvent("statistics", "{\n 1}", "7"), ServerSentEvent("message", "测", "8")]


@given(st.sets(st.integers(0, len(STREAM))))
async def test_events_come_out_whole_however_the_stream_is_cut(cuts: set[int]) -> None:
    """Comments, names without data, and an event that is not finished are none; ids stay until another comes."""
    borders = [0, *sorted(cuts), len(STREAM)]
    assert await events_of(*(STREAM[a:b] for a, b in pairwise(borders))) == EVENTS


async def test_streams_that_are_none() -> None:
    """Bytes that are not UTF-8, and events without end; many short ones have no limit together."""
    with pytest.raises(InvalidAnswerError):
        await events_of(b"data: \xff\n\n")
    for endless in (b"data: x\n", b"x"):
        with pytest.raises(InvalidAnswerError):
            await events_of(*[endless * 10] * 200)
    assert len(await events_of(*[b"data: 1\n\n"] * 1000)) == 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("1" * 100, None),
        ("Thu, 26 Nov 99999999999 12:00:01 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Thu, 26 Jul 2018 11:48:21 GMT", 30.0),
        ("Thu, 26 Jul 2018 11:48:21 -0000", 30.0),
        ("Thu, 26 Jul 2018 11:47:21 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str | None, seconds: float | None) -> None:
    """Anything else is as if it were absent."""
    assert parse_retry_after(text, datetime(2018, 7, 26, 11, 47, 51, tzinfo=UTC)) == seconds


@given(st.from_regex(r"(Mon, )?[0-9]{1,12} [A-Z][a-z]{2} [0-9]{1,12} [0-9:]{1,12} ([+-][0-9]{1,20}|GMT|[A-Z]{1,3})"))
def test_no_date_is_an_error(text: str) -> None:
    """Whatever a server sends."""
    seconds = parse_retry_after(text, datetime(2018, 7, 26, 11, 47, 51, tzinfo=UTC))
    assert seconds is None or seconds >= 0


def test_pauses_grow_and_are_never_shorter_than_asked_for() -> None:
    """Up to five seconds beyond what is asked for."""
    away, limited = UnreachableError("away"), ApiError(429, None, "", None, retry_after_seconds=3.0)
    assert [pause_seconds(tries, away, 0.5) for tries in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5]
    assert pause_seconds(0, limited, 1.0) == 3.2


@pytest.mark.parametrize(
    "error",
    [ApiError(503, None, "", None, retry_after_seconds=31.0), UnreachableError("certificate", may_pass=False)],
    ids=["too long", "hopeless"],
)
async def test_no_wait_that_is_of_no_use(error: GeneStatisticsError) -> None:
    """The error is raised at once."""
    with pytest.raises(type(error)):
        await asyncio.wait_for(Retries(30.0).wait(error), 5)


async def test_a_token_is_asked_for_once_however_many_need_it() -> None:
    """And once more for all whose token was refused."""
    calls: list[int] = []

    async def ask() -> str:
        await asyncio.sleep(0)
        calls.append(1)
        return f"token-{len(calls)}"

    tokens = Tokens(ask)
    assert await asyncio.gather(*(tokens.get() for _ in range(5))) == ["token-1"] * 5
    assert await asyncio.gather(*(tokens.instead_of("token-1") for _ in range(5))) == ["token-2"] * 5
    assert len(calls) == 2


@pytest.mark.parametrize("source", ["fixed", lambda: "fixed"], ids=["text", "function"])
async def test_the_same_token_again_is_no_other(source: Any) -> None:
    """It would be refused again."""
    tokens = Tokens(source)
    assert await tokens.get() == "fixed"
    assert await tokens.instead_of("fixed") is None


SASL = {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"}
NONE = dict.fromkeys(["sasl_mechanism", "sasl_username", "sasl_password", "ssl_cafile", "ssl_certfile", "ssl_keyfile"])


@pytest.mark.parametrize(
    "settings",
    [
        {"security_protocol": "TLS"},
        {"security_protocol": "SASL_PLAINTEXT"},
        {"security_protocol": "SASL_SSL", **SASL, "sasl_password": ""},
        {"security_protocol": "SASL_PLAINTEXT", **SASL, "sasl_mechanism": "GSSAPI"},
        {"security_protocol": "PLAINTEXT", **SASL},
        {"security_protocol": "PLAINTEXT", "ssl_cafile": "ca.pem"},
        {"security_protocol": "SSL", "ssl_cafile": "nowhere.pem"},
        {"security_protocol": "SSL", "ssl_cafile": __file__},
        {"security_protocol": "SSL", "ssl_certfile": __file__},
    ],
    ids=str,
)
def test_security_settings_that_do_not_fit(settings: dict[str, Any]) -> None:
    """The text names a setting."""
    with pytest.raises(ValueError, match=r"security_protocol|sasl_|ssl_"):
        security_options(**{**NONE, **settings})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bootstrap_servers", each)
        for each in ("", "foo:bar", "host", "u:secret@h:1", "h:0", "h:99999", "h:1,", "h:1 h:2")
    ]
    + [
        ("bootstrap_servers", ["h:1"]),
        ("bootstrap_servers", "kafka://h:1"),
        ("topic", ""),
        ("topic", "a b"),
        ("topic", ".."),
    ]
    + [("compression", "brotli"), ("deadline_seconds", 0), ("deadline_seconds", float("nan"))],
)
def test_settings_of_a_publisher_that_cannot_be(name: str, value: Any) -> None:
    """The text names the argument, and quotes nothing; it comes before anything is connected to."""
    with pytest.raises(ValueError, match=f"^{name}: ") as refused:
        EventPublisher(**{name: value})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("servers", ["h:1", "h:1,[::1]:2", " h:1 , h-2.example:65535"])
def test_addresses_of_brokers(servers: str) -> None:
    """One or several, with spaces between."""
    assert topic_options(servers, "t", None)["bootstrap_servers"] == servers


def test_security_settings_become_options() -> None:
    """By aiokafka's names."""
    settings: dict[str, Any] = {**NONE, "security_protocol": "SASL_SSL", **SASL}
    options = security_options(**settings)
    context = options.pop("ssl_context")
    assert context.check_hostname
    assert options == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("__all__", {"aiokafka", "aiohttp", "numpy", "pydantic", "msgspec", "asyncio"}),
        ("JobEvent", {"aiokafka", "aiohttp", "numpy"}),
        ("EventPublisher", {"aiohttp", "numpy"}),
        ("StatisticsClient", {"aiokafka", "numpy", "redis"}),
    ],
)
def test_only_what_is_used_is_loaded(name: str, absent: set[str]) -> None:
    """In a process of its own."""
    program = f"import sys\nfrom gene_statistics import {name}\nassert not {absent} & sys.modules.keys(), sys.modules"
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)  # noqa: S603
    assert ended.returncode == 0, ended.stderr[-500:]


@pytest.mark.parametrize(
    "error",
    [
        InvalidEventError("wrong_type", "status: not so"),
        UnauthorizedError(401, "DLI.0013", "no", "r-1"),
        RateLimitedError(429, None, "slower", None, 3.0),
        UnreachableError("away", may_pass=False),
        PublishTimeoutError("late"),
        InvalidTokenError("token: none"),
        ClientClosedError("closed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_cross_processes(error: GeneStatisticsError) -> None:
    """With all that they say."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_every_public_name_is_there() -> None:
    """Each comes from where the package says, and nothing else does."""
    assert sorted(gene_statistics._HOMES) == sorted(gene_statistics.__all__)
    assert all(getattr(gene_statistics, name).__name__ == name for name in gene_statistics.__all__)
    with pytest.raises(AttributeError):
        _ = gene_statistics.nothing


def test_its_types_are_shipped() -> None:
    """For type checkers of other projects, with those of the models that it answers."""
    project = Path(__file__).parents[2]
    wheel = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in ("gene_statistics", "service"):
        assert package in wheel["packages"]
        assert (project / package / "py.typed").exists()
