"""`python -m service`: how it starts, what stops it at once, and how it ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from service.store.layout.heads import LAYOUT_VERSION, Head, Progress, pack_head
from service.store.layout.keys import head_key, stripe_of
from tests.api.busy import Tally, keep_asking
from tests.api.support import PATH, PROJECT, SECRET, as_caller, exchange
from tests.keystone import Keystone
from tests.metrics import documented, scraped

OTHER_LAYOUT = (LAYOUT_VERSION + 1).to_bytes(4, "little") + bytes(60)


@asynccontextmanager
async def started(*arguments: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process in an environment of these STATS_ variables, on any free port unless they say where."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        *arguments,
        env={**inherited, "STATS_HTTP_PORT": "0", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def logged(process: asyncio.subprocess.Process, message: str) -> dict[str, Any]:
    """The first line of the log with that message; AssertionError if the process ends without one."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        fields: dict[str, Any] = json.loads(line)
        if fields["message"] == message:
            return fields
    raise AssertionError(f"never logged: {message}")


async def refusal(**variables: str) -> tuple[int | None, list[str]]:
    """The exit status and the lines of a process that stops by itself; it says nothing on stdout."""
    async with started(**variables) as process:
        out, err = await process.communicate()
    assert out == b""
    return process.returncode, err.decode().splitlines()


async def test_bad_settings_stop_it_with_a_line_each() -> None:
    """Every bad setting is one line on stderr, nothing else is, and the status is 2."""
    status, lines = await refusal(STATS_HTTP_PORT="x", STATS_RATE_LIMIT="-1", STATS_JWT_SECRET="short!")
    assert status == 2
    assert [line.split(":")[0] for line in lines] == ["STATS_HTTP_PORT", "STATS_JWT_SECRET", "STATS_RATE_LIMIT"]
    assert lines[1] == "STATS_JWT_SECRET: shorter than 32 bytes; allowed: the secret of HS256 tokens, 32 bytes or more"


@pytest.mark.parametrize("arguments", [["foo"], ["--port", "8080"], ["--help", "foo"], [""]])
async def test_arguments_are_refused(arguments: list[str]) -> None:
    """One line says how it is used, and the status is 2: nobody takes a server that runs for an answer."""
    async with started(*arguments, STATS_JWT_SECRET=SECRET) as process, asyncio.timeout(60):
        out, err = await process.communicate()
    assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1)
    assert err.startswith(b"usage: python -m service\x20")


@pytest.mark.parametrize("argument", ["--help", "-h"])
async def test_help_says_what_it_is(argument: str) -> None:
    """On standard output, without settings."""
    async with started(argument) as process, asyncio.timeout(60):
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.startswith(b"usage: python -m service\x20")
    assert b"until SIGTERM" in out


def test_help_for_a_reader_that_has_seen_enough() -> None:
    """As `head` it may close the pipe: that is no fault of the program."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        command = [sys.executable, "-m", "service", "--help"]
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, check=False)  # noqa: S603 - our own
    assert (ended.returncode, ended.stderr) == (0, b"")


async def test_keystone_that_refuses_us_stops_it(keystone: Keystone) -> None:
    """One line names the settings, and none of their values."""
    names = ("USERNAME", "PASSWORD", "PROJECT", "DOMAIN")
    variables = {f"STATS_KEYSTONE_{name}": "s3cr3t" for name in names}
    variables |= {"STATS_AUTH": "keystone", "STATS_KEYSTONE_URL": keystone.url}
    refused = "Keystone refuses STATS_KEYSTONE_USERNAME, _PASSWORD, _PROJECT and _DOMAIN of this service"
    status, lines = await refusal(**variables)
    assert (status, lines[-1]) == (2, refused)
    assert "s3cr3t" not in "".join(lines)


async def test_public_key_as_secret_stops_it() -> None:
    """A public key given as the secret is refused, without being repeated."""
    status, lines = await refusal(STATS_JWT_SECRET="ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 me@here long enough")
    assert (status, lines[-1].split(":")[0]) == (2, "STATS_JWT_SECRET")
    assert "AAAAB3" not in "".join(lines)


async def test_address_in_use_stops_it(redis_flushed: str) -> None:
    """A port that another has is one clear line, and status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, lines = await refusal(STATS_JWT_SECRET=SECRET, STATS_REDIS_URL=redis_flushed, STATS_HTTP_PORT=port)
    assert status == 1
    assert "STATS_HTTP_PORT" in json.loads(lines[-1])["message"]


async def test_another_layout_stops_it(redis_flushed: str) -> None:
    """A store of another layout is not touched: one clear line, and status 3."""
    async with Redis.from_url(redis_flushed) as client:
        await client.set(head_key(0), OTHER_LAYOUT)
        status, lines = await refusal(STATS_JWT_SECRET=SECRET, STATS_REDIS_URL=redis_flushed)
    assert status == 3
    (line,) = lines
    assert json.loads(line)["level"] == "CRITICAL"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_a_signal(redis_flushed: str, number: signal.Signals) -> None:
    """It logs where it listens, answers from an empty Redis as its settings say, and ends with status 0 at a signal."""
    settings = {"STATS_HTTP_PREFIX": "/statistics", "STATS_HTTP_CORS_ORIGINS": "https://a.example,https://b.example"}
    async with started(STATS_JWT_SECRET=SECRET, STATS_REDIS_URL=redis_flushed, **settings) as process:
        port = (await logged(process, "listening"))["port"]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            headers = {**as_caller(), "Origin": "https://b.example"}
            async with client.get(f"/statistics{PATH}", headers=headers) as response:
                assert (response.status, (await response.json())["users"]) == (200, [])
                assert response.headers["Access-Control-Allow-Origin"] == "https://b.example"
            async with client.get("/readyz") as response:
                assert (response.status, "statistics" in (await response.json())["error_msg"]) == (503, True)
            async with Redis.from_url(redis_flushed) as admin:
                await admin.set(head_key(1), pack_head(Head(LAYOUT_VERSION, (Progress(1, 1),))))
            async with client.get("/readyz") as response:
                assert response.status == 200
            # With this idle connection open.
            process.send_signal(number)
            assert await process.wait() == 0


async def test_it_drains_before_it_ends(redis_flushed: str) -> None:
    """After a signal it is not ready and answers on, each answer ending its connection; a second one ends that."""
    variables = {"STATS_JWT_SECRET": SECRET, "STATS_REDIS_URL": redis_flushed, "STATS_RATE_LIMIT": "0"}
    tally = Tally()
    async with started(**variables, STATS_HTTP_DRAIN_SECONDS="300") as process:
        port = (await logged(process, "listening"))["port"]
        clients = [asyncio.create_task(keep_asking(port, tally)) for _ in range(50)]
        while tally.answered < 100:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        await logged(process, "stopping")
        answer = await exchange(port, b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"The process is stopping."' in answer
        while tally.closed < 100:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        await asyncio.gather(*clients)
    assert tally.lost == 0


async def test_another_layout_met_later_stops_it(redis_flushed: str) -> None:
    """A store that another layout takes over while it serves is not read: 503, one clear line, and status 3."""
    async with started(STATS_JWT_SECRET=SECRET, STATS_REDIS_URL=redis_flushed) as process:
        port = (await logged(process, "listening"))["port"]
        async with Redis.from_url(redis_flushed) as client:
            await client.set(head_key(stripe_of(PROJECT)), OTHER_LAYOUT)
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
            http.get(PATH, headers=as_caller()) as response,
        ):
            assert (response.status, (await response.json())["error_code"]) == (503, "DLI.0012")
        assert process.stderr is not None
        lines = [json.loads(line) async for line in process.stderr]
        assert await process.wait() == 3
    assert "layout version" in next(line["message"] for line in lines if line["level"] == "CRITICAL")


async def test_redis_away_at_start_is_not_fatal(unused_tcp_port: int) -> None:
    """Without Redis it serves 503, says on /readyz why, lives, and logs it; its metrics are those of the table."""
    url = f"redis://127.0.0.1:{unused_tcp_port}/0"
    async with started(STATS_JWT_SECRET=SECRET, STATS_REDIS_URL=url) as process:
        port = (await logged(process, "listening"))["port"]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            for path, status in ((PATH, 503), ("/readyz", 503), ("/healthz", 200)):
                async with client.get(path, headers=as_caller()) as response:
                    assert response.status == status
            async with client.get("/metrics") as page:
                found, said = scraped(await page.text()), documented("the API", "both")
    assert {name: each.type for name, each in found.items()} == {name: each.type for name, each in said.items()}
    assert all(each.labels in {frozenset(), said[name].labels} for name, each in found.items())


async def test_redis_that_evicts_is_not_read(redis_flushed: str) -> None:
    """While Redis throws keys away it serves 503, names it on /readyz, and says so once in its log."""
    async with Redis.from_url(redis_flushed) as admin:
        await admin.config_set("maxmemory-policy", "allkeys-lru")
        try:
            async with started(STATS_JWT_SECRET=SECRET, STATS_REDIS_URL=redis_flushed) as process:
                problem = "Redis has maxmemory-policy allkeys-lru, which throws counters away; noeviction is needed"
                line = await logged(process, f"requests get 503 until this is mended: {problem}")
                assert line["level"] == "CRITICAL"
                port = (await logged(process, "listening"))["port"]
                async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
                    async with client.get(PATH, headers=as_caller()) as response:
                        assert response.status == 503
                    async with client.get("/readyz") as response:
                        assert (await response.json())["error_msg"] == "Cannot be reached: redis."
        finally:
            await admin.config_set("maxmemory-policy", "noeviction")
