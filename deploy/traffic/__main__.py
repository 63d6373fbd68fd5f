"""Publishes the history, prints the totals that must be counted, waits for a line of input, then publishes live.

Progress goes to standard output, one JSON object a line:
`{"phase": "history", "events": 1000, "of": 57000, "jobs": 400}`. The last line of the history has the phase
"complete" and `"totals": {project_id: {"total_user_num": 3, ...}}`.
It waits only where standard input is a pipe or a terminal: for /dev/null, or a file, it goes on at once.
"""

import asyncio
import json
import os
import signal
import sys
import time

import msgspec
from aiokafka import AIOKafkaProducer

from deploy.traffic.flow import Traffic
from deploy.traffic.lifecycle import Record
from deploy.traffic.tally import totals_by_project

SEED = 20
CHUNK = 1000
TICK_SECONDS = 0.1


async def main() -> None:
    """Publishes until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    topic = os.environ.get("STATS_KAFKA_TOPIC", "gene-job-events")
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ.get("STATS_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
        compression_type="lz4",
        enable_idempotence=False,  # the embedded broker has no idempotent producers
        linger_ms=5,
        max_batch_size=256 * 1024,
    )
    traffic = Traffic(SEED, now_ms())
    async with producer:
        await publish_history(producer, topic, traffic.history())
        await wait_for_go_ahead(stopping)
        await publish_live(producer, topic, traffic, stopping)


async def publish_history(producer: AIOKafkaProducer, topic: str, records: list[Record]) -> None:
    """Publishes the history's records in their order, and reports the progress and the totals."""
    seen: set[str] = set()
    deleted: set[str] = set()
    for first in range(0, len(records), CHUNK):
        chunk = records[first : first + CHUNK]
        await publish(producer, topic, chunk)
        seen.update(record.job_id for record in chunk)
        deleted.update(record.job_id for record in chunk if record.value is None)
        report(phase="history", events=first + len(chunk), of=len(records), jobs=len(seen - deleted))
    totals = totals_by_project(records)
    report(phase="complete", events=len(records), of=len(records), jobs=len(seen - deleted), totals=totals)


async def publish_live(producer: AIOKafkaProducer, topic: str, traffic: Traffic, stopping: asyncio.Event) -> None:
    """Publishes the records that are due, ten times a second, until told to stop."""
    while not stopping.is_set():
        await publish(producer, topic, traffic.due(now_ms()))
        try:
            await asyncio.wait_for(stopping.wait(), TICK_SECONDS)
        except TimeoutError:
            continue


async def publish(producer: AIOKafkaProducer, topic: str, records: list[Record]) -> None:
    """Publishes records, and awaits the broker's acknowledgement of all of them."""
    sent = [
        await producer.send(
            topic,
            key=f"{record.project_id}/{record.job_id}".encode(),
            value=None if record.value is None else msgspec.json.encode(record.value),
        )
        for record in records
    ]
    await asyncio.gather(*sent)


async def wait_for_go_ahead(stopping: asyncio.Event) -> None:
    """Waits for a line on standard input, the end of the input, or the request to stop."""
    loop = asyncio.get_running_loop()
    line_came = asyncio.Event()
    try:
        loop.add_reader(sys.stdin, line_came.set)
    except PermissionError:  # the kernel: it is neither, so nobody is there to give it
        return
    waits = [asyncio.create_task(line_came.wait()), asyncio.create_task(stopping.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(sys.stdin)
    for wait in waits:
        wait.cancel()


def report(**progress: object) -> None:
    """Prints one JSON line for the process that has started this one."""
    print(json.dumps(progress), flush=True)


def now_ms() -> int:
    """Returns the wall clock's time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    asyncio.run(main())
