"""The client and a service that misbehaves: what is asked again, what is not, and what is never believed."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
from yarl import URL

from gene_statistics import (
    ApiError,
    ClientClosedError,
    ForbiddenError,
    GeneStatisticsError,
    InvalidAnswerError,
    InvalidTokenError,
    StatisticsClient,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
    client,
    retries,
)
from service.calendar import INTERVALS
from tests.api.support import AS_OF_MS, PROJECT, TOTALS
from tests.library.certificates import self_signed
from tests.library.stub import OPEN, PATH, STATISTICS, Stub, answer, error, http, serving_stub

RESET = answer()[:-10]
HTML = http(502, "<html>Bad gateway</html>", "text/html")


async def ask(stub: Stub, *script: bytes, deadline_seconds: float = 30.0) -> int:
    """The jobs that are finished, by an answer of the stub."""
    stub.script = list(script)
    async with StatisticsClient(stub.url, "secret", deadline_seconds=deadline_seconds) as asking:
        return (await asking.statistics(PROJECT)).total_finished_num


@pytest.mark.parametrize(
    "fault",
    [RESET, b"", HTML, error(503, "DLI.0012"), error(429, "DLI.1028", Retry_After="0"), error(504, "DLI.0012")],
    ids=["reset in the body", "no byte", "a proxy's 502", "503", "429", "504"],
)
async def test_what_passes_is_asked_again(stub: Stub, fault: bytes) -> None:
    """Without a word to the caller."""
    first = fault or b"HTTP"
    assert await ask(stub, first, first, answer()) == TOTALS["total_finished_num"]
    assert len(stub.requests) == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (error(400, "DLI.0001"), ApiError),
        (error(401, "DLI.0013"), UnauthorizedError),
        (error(403, "DLI.0016"), ForbiddenError),
        (error(404, "DLI.0023"), ApiError),
        (error(500, "DLI.0999"), ApiError),
        (http(302, "", Location="http://127.0.0.1:1/"), ApiError),
        (error(429, "DLI.1028", Retry_After="3600"), ApiError),
        (error(503, "DLI.0012", Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"), UnavailableError),
    ],
    ids=str,
)
async def test_what_does_not_pass_is_asked_once(stub: Stub, fault: bytes, kind: type[ApiError]) -> None:
    """Nor is the token sent elsewhere by a redirect."""
    with pytest.raises(kind) as refused:
        await ask(stub, fault)
    assert len(stub.requests) == 1
    assert stub.header("X-Auth-Token") == ["secret"]
    assert "secret" not in str(refused.value)


async def test_a_wait_that_is_asked_for_is_kept(stub: Stub) -> None:
    """By the clock of the loop."""
    before = asyncio.get_running_loop().time()
    assert await ask(stub, error(503, "DLI.0012", Retry_After="1"), answer()) == 10
    assert asyncio.get_running_loop().time() >= before + 1


async def test_the_deadline_holds_for_everything(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that never answers, one that is not there, and a token that does not come."""
    with pytest.raises(UnreachableError, match=r"0\.2 s"):
        await asyncio.wait_for(ask(stub, OPEN, deadline_seconds=0.2), 5)
    monkeypatch.setattr(client, "_TRY_SECONDS", 0.1)
    assert await ask(stub, OPEN, answer()) == 10  # one try does not take all of it
    url = stub.url
    async with serving_stub() as gone:
        stub.url = gone.url
    with pytest.raises(UnreachableError, match=r"no (whole )?answer"):
        await ask(stub, deadline_seconds=0.2)
    async with StatisticsClient(url, asyncio.Event().wait, deadline_seconds=0.2) as waiting:  # type: ignore[arg-type]
        with pytest.raises(UnreachableError):
            await waiting.statistics(PROJECT)


async def test_what_the_tokens_function_raises_is_raised(stub: Stub) -> None:
    """It is the caller's own, even if it is a timeout."""

    def fail() -> str:
        raise TimeoutError("identity service")

    async with StatisticsClient(stub.url, fail) as asking:
        with pytest.raises(TimeoutError, match="identity service"):
            await asking.statistics(PROJECT)


def changed(**changes: Any) -> bytes:
    return answer({**STATISTICS, **changes})


@pytest.mark.parametrize(
    "fault",
    [
        http(200, "<html>Please log in</html>", "text/html"),
        answer([]),
        answer({}),
        answer({**STATISTICS, "users": {}}),
        answer(X_Statistics_As_Of="soon"),
        answer(X_Statistics_As_Of="253402300800000"),
        answer(X_Statistics_As_Of="99999999999999999999"),
        answer(X_Statistics_Horizon="-99999999999999999"),
        answer(X_Statistics_Gaps="-1"),
        http(200, json.dumps(STATISTICS)),
        changed(total_input_size=-1),
        changed(total_input_size=1.5),
        changed(total_input_size="1"),
        changed(total_input_size=True),
        http(200, b"\xff", X_Statistics_As_Of=str(AS_OF_MS)),
    ],
    ids=[
        "HTML",
        "list",
        "empty",
        "users",
        "as-of",
        "year 10000",
        "huge",
        "horizon",
        "gaps",
        "no as-of",
        "negative",
        "fraction",
        "text",
        "truth",
        "UTF-8",
    ],
)
async def test_what_is_no_answer_is_not_believed(stub: Stub, fault: bytes) -> None:
    """Nor asked for again; nothing of it is quoted."""
    with pytest.raises(InvalidAnswerError) as refused:
        await ask(stub, fault)
    assert "html" not in str(refused.value)
    assert len(stub.requests) == 1


async def test_numbers_beyond_all_bounds_are_exact(stub: Stub) -> None:
    """As JSON has them; fields that are not known are ignored."""
    stub.script = [changed(total_input_size=2**63 - 1, total_running_num=2**53 + 1, total_new_num="?")]
    async with StatisticsClient(stub.url, "t") as asking:
        got = await asking.statistics(PROJECT)
    assert (got.total_input_size, got.total_running_num) == (2**63 - 1, 2**53 + 1)


async def test_an_answer_of_any_size_is_not_read(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an error neither."""
    monkeypatch.setattr(client, "_MOST_BYTES", 100)
    with pytest.raises(InvalidAnswerError, match="100 bytes"):
        await ask(stub, answer())
    with pytest.raises(ApiError) as refused:
        await ask(stub, http(500, "x" * 100_000))
    assert len(str(refused.value)) < 200


async def test_a_service_under_a_path(stub: Stub) -> None:
    """With a slash at its end or without; the query has what is given alone."""
    stub.script = [answer()]
    for prefix in ("/some/where", "/some/where/"):
        async with StatisticsClient(stub.url + prefix, "t") as asking:
            await asking.statistics(PROJECT, start=1)
    assert [head.split(" ")[1] for head in stub.requests] == [f"/some/where{PATH}?start=1"] * 2


async def test_time_series(stub: Stub) -> None:
    """Points as they are, with their bounds as datetimes too; what is asked is in the query."""
    counts = {"launching_num": 0, "running_num": 0, "failed_num": 2, "finished_num": 9, "canceling_num": 0}
    counts |= {"cancelled_num": 1, "input_size": 2**62}
    point = {"start": 1_532_534_400_000, "end": 1_532_620_800_000, "is_partial": False, **counts}
    stub.script = [answer({"interval": "1d", "time_zone": "Asia/Shanghai", "points": [point]})]
    async with StatisticsClient(stub.url, "t") as asking:
        series = await asking.time_series(
            PROJECT, start=0, end=2_000_000_000_000, interval="1d", time_zone="Asia/Shanghai", user_name="a+b 测"
        )
        assert await asking.time_series(PROJECT, start=0, end=1) == series
    [got] = series.points
    assert (series.interval, series.time_zone, series.as_of_ms) == ("1d", "Asia/Shanghai", AS_OF_MS)
    assert (got.start_ms, got.end_ms, got.is_partial) == (1_532_534_400_000, 1_532_620_800_000, False)
    assert (got.start.isoformat(), (got.end - got.start).days) == ("2018-07-25T16:00:00+00:00", 1)
    assert {name: getattr(got, name) for name in counts} == counts
    first, second = (URL(head.split(" ")[1]) for head in stub.requests)
    assert first.path == second.path == f"{PATH}/timeseries"
    assert first.query == {
        "start": "0",
        "end": "2000000000000",
        "interval": "1d",
        "time_zone": "Asia/Shanghai",
        "user_name": "a+b 测",
    }
    assert second.query == {"start": "0", "end": "1"}
    assert get_args(client.Interval) == INTERVALS


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and the file of the CA that its certificate is of: itself."""
    file = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


async def test_tls_with_a_private_ca(tmp_path: Path) -> None:
    """With the CA's file it is trusted; without it the error comes at once, and the token is not sent."""
    context, file = certificate(tmp_path)
    async with serving_stub(context) as secure:
        secure.script = [answer()]
        async with StatisticsClient(secure.url, "t", ssl_cafile=str(file)) as trusting:
            assert (await trusting.statistics(PROJECT)).total_finished_num == 10
        async with StatisticsClient(secure.url, "t") as other:
            with pytest.raises(GeneStatisticsError) as refused:
                await asyncio.wait_for(other.statistics(PROJECT), 10)
    assert isinstance(refused.value.__cause__, aiohttp.ClientSSLError)
    assert len(secure.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 10_000 + b"\r\n\r\n",
        answer(Content_Encoding="br"),
        http(400, '{"error_code": "secret", "error_msg": "no secret"}', X_Request_Id="secret"),
        http(404, "", "secret/html"),
    ],
    ids=["status line", "long header", "encoding", "words", "type"],
)
async def test_no_error_has_the_token(stub: Stub, fault: bytes) -> None:
    """Nor has its cause, whatever comes from the server."""
    with pytest.raises(GeneStatisticsError) as refused:
        await ask(stub, fault, deadline_seconds=0.3)
    said = f"{refused.value} {refused.value!r} {refused.value.__cause__!r}"
    assert "secret" not in said
    assert len(stub.requests) >= 1


@pytest.mark.parametrize(
    "message", ["m" * 20_000, "a\nb\x1b[31m\u202e", "\x9b"], ids=["long", "escapes", "one byte escape"]
)
async def test_words_of_others_are_short_and_of_one_line(stub: Stub, message: str) -> None:
    """In the error's text; the attributes have what came, up to a bound."""
    body = json.dumps({"error_code": message, "error_msg": message})
    with pytest.raises(ApiError) as refused:
        await ask(stub, http(400, body, X_Request_Id="i" * 5_000))
    assert len(str(refused.value)) < 350
    assert str(refused.value).isprintable()
    assert (refused.value.error_msg, refused.value.error_code) == (message[:1_000], message[:1_000])
    assert len(refused.value.request_id or "") == 1_000


@pytest.mark.parametrize("token", [b"secret", None, "sec\nret", "sec\0ret", "sécret", "sec\ud800ret", "", 5], ids=repr)
async def test_what_can_be_no_token_is_not_sent(stub: Stub, token: Any) -> None:
    """Given as it is, or by a function."""
    with pytest.raises(InvalidTokenError, match=r"^token: a str of visible"):
        StatisticsClient(stub.url, token)
    async with StatisticsClient(stub.url, lambda: token) as asking:
        with pytest.raises(InvalidTokenError, match=r"^token: a str of visible"):
            await asking.statistics(PROJECT)
    assert stub.requests == []


async def test_a_token_of_a_file(stub: Stub) -> None:
    """Without the line break at its end."""
    stub.script = [answer()]
    for source in ("secret\n", lambda: "secret\r\n"):
        async with StatisticsClient(stub.url, source) as asking:
            await asking.statistics(PROJECT)
    assert stub.header("X-Auth-Token") == ["secret"] * 2


@pytest.mark.parametrize("script", [OPEN, answer()[:-10] + OPEN], ids=["none", "half"])
async def test_closing_ends_what_is_under_way(stub: Stub, script: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the library's error, at once: there is no pause as before another try."""
    monkeypatch.setattr(retries, "_FIRST_SECONDS", 1_000)
    monkeypatch.setattr(retries, "_MOST_SECONDS", 1_000)
    stub.script = [script]
    asking = StatisticsClient(stub.url, "t")
    async with asking:
        question = asyncio.create_task(asking.statistics(PROJECT))
        await stub.asked.wait()
    with pytest.raises(ClientClosedError):
        await asyncio.wait_for(question, 10)
