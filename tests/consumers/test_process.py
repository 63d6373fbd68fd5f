"""`python -m consumers`: what stops it at once, and what it says while its servers are away."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from typing import Any

import aiohttp
import pytest

from deploy.local.servers import free_port
from tests.commands.support import run_process, start
from tests.metrics import documented, scraped

# A program whose clients cannot be made with the settings that it has.
_REFUSING = """
import runpy, sys
from service.runtime.settings import SettingsError
from service.store.redis import client

def refuse(*args, **options):
    raise SettingsError(["STATS_REDIS_URL: not good in use; allowed: another"])

client.create_client = refuse
sys.argv[1:] = ARGUMENTS
runpy.run_module("consumers", run_name="__main__")
"""


def away() -> dict[str, str]:
    """Settings with which neither Redis nor Kafka answers."""
    port = free_port()
    return {
        "STATS_REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "STATS_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "STATS_METRICS_PORT": "0",
    }


async def test_an_address_that_cannot_be_listened_on_stops_it() -> None:
    """A port that another has, and a host that nobody knows, are one line each, and status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        where = {"STATS_METRICS_HOST": "127.0.0.1", "STATS_METRICS_PORT": port}, {"STATS_METRICS_HOST": "no.invalid"}
        for result in await asyncio.gather(*(run_process({**away(), **each}) for each in where)):
            [line] = map(json.loads, result.err.splitlines())
            assert (result.code, result.out, line["level"]) == (1, "", "CRITICAL")
            assert line["message"].startswith("STATS_METRICS_HOST, STATS_METRICS_PORT: cannot listen there: ")


@pytest.mark.parametrize("arguments", [[], ["verify"]], ids=["consumer", "command"])
def test_a_setting_that_is_bad_in_use_stops_it(arguments: list[str]) -> None:
    """What the clients find when they are made is one line and status 2, as what is found before."""
    program = _REFUSING.replace("ARGUMENTS", str(arguments))
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)  # noqa: S603
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1] == "STATS_REDIS_URL: not good in use; allowed: another"


async def test_its_metrics_are_those_of_the_table() -> None:
    """Also before it has met its servers: what it will never name later is there from the start."""
    process = await start(away())
    assert process.stderr is not None
    while "served on port" not in (line := json.loads(await process.stderr.readline())["message"]):
        pass
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{line.split()[-1]}/metrics") as page:
        found = scraped(await page.text())
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    said = documented("consumers", "both")
    assert {name: each.type for name, each in found.items()} == {name: each.type for name, each in said.items()}
    assert all(each.labels in {frozenset(), said[name].labels} for name, each in found.items())


async def test_it_waits_for_its_servers_and_says_so_in_few_lines() -> None:
    """One line for Redis; for Kafka one of ours and one of its client for each of the trials, which become fewer."""
    process = await start(away())
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    while sum("trying again" in line["message"] for line in lines) < 2:
        lines.append(json.loads(await process.stderr.readline()))
    process.send_signal(signal.SIGTERM)
    _, rest = await process.communicate()
    assert process.returncode == 0
    lines += map(json.loads, rest.splitlines())
    trials = sum("trying again" in line["message"] for line in lines)
    assert sum(line["message"] == "Redis is away" for line in lines) == 1
    assert len(lines) <= 2 + 2 * (trials + 1), lines
    assert not any("traceback" in line for line in lines)
