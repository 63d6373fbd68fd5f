"""The same with a pipeline for each polled batch: one that reads the states, one that writes sums and states.

Settings: json.loads; polls of up to 20,000 records; HGETs in one pipeline, then HINCRBYs (a batch's changes of a field
summed up) and HSETs in a transaction; commit after it. Guarantee: that of the loop, but a batch is written wholly or
not at all. If it is written and not committed, its replay can still leave counts and states wrong for a while, and
with a second process on the partition for good.
"""

import json

from redis.asyncio import Redis

from bench.peers.polling import Polled, run
from bench.peers.states import fold, jobs_of, queue_reads, queue_writes


async def handle(redis: Redis, polled: Polled) -> None:
    """Counts a poll at once."""
    events = [json.loads(record.value) for records in polled.values() for record in records]
    jobs = jobs_of(events)
    async with redis.pipeline(transaction=False) as reading:
        queue_reads(reading, jobs)
        counts, states = fold(events, jobs, await reading.execute())
    async with redis.pipeline(transaction=True) as writing:
        queue_writes(writing, counts, states)
        await writing.execute()


if __name__ == "__main__":
    run(handle)
