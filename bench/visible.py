"""How long after the broker has acknowledged an event the API's answer has it."""

import asyncio
import random
import time

from aiokafka import AIOKafkaProducer

from bench.asking import ApiClient
from bench.run import Row, Run, percentile
from bench.servers import environment_for, running_api, running_broker, running_module, running_redis
from bench.streams import StreamSpec, Transition, transitions
from deploy.local.plan import PARTITIONS, TOPIC
from deploy.local.process import Child, is_ready, wait_until
from deploy.local.servers import create_topics, free_port

_EVENTS_PER_SECOND = 20
_VISIBLE_SECONDS = 10.0


def measure(run: Run) -> list[Row]:
    """One row: new jobs of one project, one at a time, with nothing else going on."""
    jobs = run.count(200, 20)
    stream = transitions(StreamSpec("visible", jobs, 1, projects=1))
    first_events = [each for each in stream if each.sequence == 1]
    port = free_port()
    with running_broker(run.folder, port), running_redis(run.folder) as redis:
        asyncio.run(create_topics(f"127.0.0.1:{port}", {TOPIC: PARTITIONS}))
        environment = environment_for(port, redis.port)
        with (
            running_module(run.folder, "consumers", environment) as consumer,
            running_api(run.folder, environment),
            ApiClient(int(environment["STATS_HTTP_PORT"])) as client,
        ):
            wait_until(consumer, lambda: is_ready(int(environment["STATS_METRICS_PORT"])), "get ready")
            run.say(f"visible: publishing {jobs} events")
            delays_ms = asyncio.run(_publish_and_ask(f"127.0.0.1:{port}", first_events, client, consumer))
    return [
        {
            "measured": "one at a time",
            "events": jobs,
            "p50_ms": round(percentile(delays_ms, 50), 1),
            "p99_ms": round(percentile(delays_ms, 99), 1),
            "max_ms": round(max(delays_ms), 1),
        }
    ]


async def _publish_and_ask(
    bootstrap_servers: str, events: list[Transition], client: ApiClient, consumer: Child
) -> list[float]:
    rnd = random.Random(1)
    delays_ms = []
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, enable_idempotence=False) as producer:
        for number, event in enumerate(events, 1):
            key, value = event.record(f"{number:032x}")
            await producer.send_and_wait(TOPIC, value, key)
            delays_ms.append(_wait_until_counted(event.project_id, number, client, consumer) * 1000)
            # at random instants, so that no cycle of the consumer is always met at the same point
            await asyncio.sleep(rnd.expovariate(_EVENTS_PER_SECOND))
    return delays_ms


def _wait_until_counted(project_id: str, jobs: int, client: ApiClient, consumer: Child) -> float:
    """Seconds until an answer counts so many jobs; asks without a pause, and nothing else has to run meanwhile."""
    acknowledged = time.perf_counter()
    while client.ask(project_id)[0]["total_launching_num"] < jobs:
        if time.perf_counter() - acknowledged > _VISIBLE_SECONDS:
            raise consumer.failure(f"has not made an event visible within {_VISIBLE_SECONDS:.0f} s")
    return time.perf_counter() - acknowledged
