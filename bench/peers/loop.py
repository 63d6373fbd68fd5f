"""The loop people write first: each event is parsed and counted by itself, with an await for each Redis command.

Settings: json.loads; HGET of the job's state, a HINCRBY for each count that changes, HSET of the state; commit after
each poll. Guarantee: right while every event comes once and in the order of its job. A duplicate or an older event
that comes later changes the state back, and a crash between two commands leaves the counts wrong for good.
"""

import json

from redis.asyncio import Redis

from bench.peers.counting import difference, jobs_key, to_state
from bench.peers.polling import Polled, run


async def handle(redis: Redis, polled: Polled) -> None:
    """Counts record after record."""
    for records in polled.values():
        for record in records:
            event = json.loads(record.value)
            jobs, job_id = jobs_key(event["project_id"]), event["job_id"]
            old = await redis.hget(jobs, job_id)
            for (key, field), delta in difference(json.loads(old) if old else None, event).items():
                if delta:
                    await redis.hincrby(key, field, delta)
            await redis.hset(jobs, job_id, to_state(event))


if __name__ == "__main__":
    run(handle)
