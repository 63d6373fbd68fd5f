"""`python -m bench.floor RECORDS`: what no consumer can be much faster than, as JSON on standard output.

Fetches with the settings of a consumer, from the same environment, and validates each value with the model that
defines a valid event; no more.
"""

import asyncio
import gc
import json
import sys
import time

from aiokafka import TopicPartition

from consumers.kafka.clients import create_consumer
from consumers.policy import WorkerPolicy
from deploy.local.plan import PARTITIONS
from service.events.schema import JobEventModel
from service.runtime.settings import KafkaSettings, load
from service.store.redis.clock import system_now_ms


async def fetch_and_validate(settings: KafkaSettings, records: int) -> tuple[float, float]:
    """Seconds, and seconds of CPU, from the first fetch to the last of so many records."""
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
        started, cpu_started = time.perf_counter(), time.process_time()
        while records > 0:
            polled = await consumer.getmany(timeout_ms=policy.poll_timeout_ms, max_records=policy.max_batch_records)
            for each in polled.values():
                for record in each:
                    validate(record.value)
                records -= len(each)
        return time.perf_counter() - started, time.process_time() - cpu_started
    finally:
        await consumer.stop()


def main() -> None:
    """Prints `{"seconds": ..., "cpu_seconds": ...}`."""
    seconds, cpu_seconds = asyncio.run(fetch_and_validate(load(KafkaSettings), int(sys.argv[1])))
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main()
