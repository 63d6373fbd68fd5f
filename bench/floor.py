"""`python -m bench.floor RECORDS`: what no consumer can be much faster than, as JSON on standard output.

Fetches with the settings of a consumer, from the same environment, and has each value read and validated by the model
that defines a valid event (what its `model_validate_json` calls); no more.
"""

import asyncio
import gc
import json
import sys
import time

from aiokafka import TopicPartition

from bench.servers import Usage, usage
from consumers.kafka.clients import create_consumer
from consumers.policy import WorkerPolicy
from deploy.local.plan import PARTITIONS
from service.events.schema import JobEventModel
from service.runtime.settings import KafkaSettings, load
from service.store.redis.clock import system_now_ms

_POLL_RECORDS = 5_000


async def fetch_and_validate(settings: KafkaSettings, records: int) -> tuple[float, Usage]:
    """Seconds, and what this process used, from the first fetch to the last of so many records."""
    policy = WorkerPolicy(settings.kafka_topic)
    consumer = create_consumer(settings, system_now_ms)
    validate = JobEventModel.__pydantic_validator__.validate_json
    await consumer.start()
    try:
        partitions = [TopicPartition(settings.kafka_topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
        # as the consumer has it
        gc.collect()
        gc.freeze()
        gc.set_threshold(200_000, 50, 50)
        started, used = time.perf_counter(), usage(itself=True)
        while records > 0:
            polled = await consumer.getmany(timeout_ms=policy.poll_timeout_ms, max_records=_POLL_RECORDS)
            for each in polled.values():
                for record in each:
                    validate(record.value)
                records -= len(each)
        return time.perf_counter() - started, usage(itself=True) - used
    finally:
        await consumer.stop()


def main() -> None:
    """Prints `{"seconds": ..., "cpu_seconds": ..., "waited_seconds": ...}`."""
    seconds, used = asyncio.run(fetch_and_validate(load(KafkaSettings), int(sys.argv[1])))
    print(json.dumps({"seconds": seconds, "cpu_seconds": used.cpu_seconds, "waited_seconds": used.waited_seconds}))


if __name__ == "__main__":
    main()
