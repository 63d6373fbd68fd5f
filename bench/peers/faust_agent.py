"""Faust: an agent that takes batches of events and does with each what `pipelined` does with a poll.

Settings: JSON serializer, `take_events(20000, within=1)`, buffer of 20,000 events, no tables (so no changelog), no web
server, no leader topic. Guarantee: at least once, like `pipelined`: events are acknowledged after their batch, and
committed every 2.8 s.
"""

from collections import Counter

import faust  # type: ignore[import-not-found]  # it is in an environment of its own, with mode
from mode import Worker  # type: ignore[import-not-found]
from redis.asyncio import Redis

from bench.peers.meter import SESSION_SECONDS, arguments, setting
from bench.peers.states import Event, fold, jobs_of, queue_reads, queue_writes

_BATCH_RECORDS = 20_000


def main() -> None:
    """Runs until it is stopped."""
    meter = arguments()
    redis = Redis.from_url(setting("REDIS_URL"), protocol=2)
    app = faust.App(
        setting("KAFKA_GROUP_ID"),
        broker=f"kafka://{setting('KAFKA_BOOTSTRAP_SERVERS')}",
        store="memory://",
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=_BATCH_RECORDS,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        broker_rebalance_timeout=SESSION_SECONDS,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=1,
        datadir=meter.path.with_suffix(".data"),
    )

    def start(value: Event) -> Event:
        meter.start()
        return value

    @app.agent(app.topic(setting("KAFKA_TOPIC"), value_serializer="json", key_type=bytes))  # type: ignore[untyped-decorator]
    async def count(stream: faust.Stream) -> None:
        stream.add_processor(start)
        async for batch in stream.take_events(_BATCH_RECORDS, within=1):
            del batch[meter.left :]
            events = [event.value for event in batch]
            jobs = jobs_of(events)
            async with redis.pipeline(transaction=False) as reading:
                queue_reads(reading, jobs)
                counts, states = fold(events, jobs, await reading.execute())
            async with redis.pipeline(transaction=True) as writing:
                queue_writes(writing, counts, states)
                await writing.execute()
            for partition, records in Counter(event.message.partition for event in batch).items():
                meter.add(partition, records)

    Worker(app, loglevel="INFO").execute_from_commandline()


if __name__ == "__main__":
    main()
