"""Quix Streams: a BatchingSink that does with each checkpoint's batch what `pipelined` does with a poll.

Settings: JSON deserializer, checkpoint after 20,000 records (`commit_every`) or 5 s, no changelog topics, since there
is no state of its own; its consumer (librdkafka) as Quix sets it. Guarantee: at least once, like `pipelined`: Quix's
own exactly-once ends at Kafka, and what a sink writes is written again after a crash.
"""

from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]  # it is in an environment of its own
from quixstreams.sinks import BatchingSink, SinkBatch  # type: ignore[import-not-found]
from redis import Redis

from bench.peers.meter import SESSION_SECONDS, Meter, arguments, setting
from bench.peers.states import fold, jobs_of, queue_reads, queue_writes

_BATCH_RECORDS = 20_000


class CountingSink(BatchingSink):  # type: ignore[misc]
    """Counts a partition's batch with two pipelines."""

    def __init__(self, redis: Redis, meter: Meter) -> None:
        super().__init__()
        self._redis = redis
        self._meter = meter

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Starts the clock, and lets the base class batch the record."""
        self._meter.start()
        super().add(*args, **kwargs)

    def write(self, batch: SinkBatch) -> None:
        """Reads states, writes sums and states."""
        events = [item.value for item in batch]
        jobs = jobs_of(events)
        with self._redis.pipeline(transaction=False) as reading:
            queue_reads(reading, jobs)
            counts, states = fold(events, jobs, reading.execute())
        with self._redis.pipeline(transaction=True) as writing:
            queue_writes(writing, counts, states)
            writing.execute()
        self._meter.add(batch.partition, len(events))


def main() -> None:
    """Runs until it has taken its records."""
    meter = arguments()
    application = Application(
        broker_address=setting("KAFKA_BOOTSTRAP_SERVERS"),
        consumer_group=setting("KAFKA_GROUP_ID"),
        auto_offset_reset="earliest",
        consumer_extra_config={"session.timeout.ms": SESSION_SECONDS * 1000, "heartbeat.interval.ms": 1000},
        commit_every=_BATCH_RECORDS,
        use_changelog_topics=False,
        auto_create_topics=False,
        state_dir=meter.path.with_suffix(".data"),
    )
    topic = application.topic(setting("KAFKA_TOPIC"), value_deserializer="json", key_deserializer="bytes")
    with Redis.from_url(setting("REDIS_URL"), protocol=2) as redis:
        application.dataframe(topic).sink(CountingSink(redis, meter))
        application.run(count=meter.limit, collect=False)  # so that no last part waits for 5 s


if __name__ == "__main__":
    main()
