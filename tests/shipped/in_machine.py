"""Runs in the network of a booted machine: a broker, an event, and the questions until both processes count it.

Arguments: path of the broker's program, folder for its log, ports of the API's processes, port of the consumer. It
prints a line when all is counted, and serves the broker until its standard input is closed.
"""

import asyncio
import sys
from pathlib import Path

import aiohttp

from deploy.local.servers import create_topics, start_broker
from tests.api.support import PATH, PROJECT, as_caller
from tests.consumers.support import publish
from tests.store.support import event

BROKER_PORT = 9092
TOPIC = "gene-job-events"


async def main(program: str, folder: Path, api_ports: list[int], consumer_port: int) -> None:
    """Counts one event."""
    broker = start_broker(program, BROKER_PORT, folder / "broker.log")
    try:
        await create_topics(f"127.0.0.1:{BROKER_PORT}", {TOPIC: 2})
        print("broker", flush=True)  # noqa: T201 - read by the test
        await publish(f"127.0.0.1:{BROKER_PORT}", TOPIC, [event(1, project_id=PROJECT)])
        async with aiohttp.ClientSession() as client:
            for port in [consumer_port, *api_ports]:
                while await status_of(client, port) != 200:  # noqa: ASYNC110 - a page of another process
                    await asyncio.sleep(0.05)
            async with client.get(f"http://127.0.0.1:8080{PATH}", headers=as_caller()) as response:
                print("running jobs:", (await response.json())["total_running_num"], flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.read)
    finally:
        broker.stop()


async def status_of(client: aiohttp.ClientSession, port: int) -> int:
    """The status of a readiness page, 0 where nobody listens."""
    try:
        async with client.get(f"http://127.0.0.1:{port}/readyz") as response:
            return response.status
    except aiohttp.ClientError:
        return 0


if __name__ == "__main__":
    _, program, folder, *ports = sys.argv
    *api, consumer = map(int, ports)
    asyncio.run(main(program, Path(folder), api, consumer))
