"""`python -m bench.changing REDIS_URL USERS JOBS SECONDS`: adds so many new jobs to the project every so many seconds.

It ends with SIGTERM. It prints a line when it begins, and at the end how many were added. It writes as a consumer does,
without a broker.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.jobs import Jobs, additions
from bench.loading import Feeder
from bench.servers import RedisServer, environment_for, running_module
from deploy.local.process import Child, wait_until
from service.store.redis.client import create_writer_client
from service.store.redis.clock import system_now_ms
from service.store.write.writer import StoreWriter


@dataclass(frozen=True, slots=True)
class Pace:
    """How many jobs are added together, and how long nothing is added then."""

    batch: int = 20
    pause_seconds: float = 0.01


_OFTEN = Pace()


async def change(redis_url: str, users: int, pace: Pace) -> int:
    """Adds jobs until a signal; returns how many."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = create_writer_client(redis_url, cluster=False)
    try:
        feeder = await Feeder.open(StoreWriter(client))
        events = additions(users)
        added = 0
        print("changing", flush=True)
        while not stop.is_set():
            await feeder.apply(list(islice(events, pace.batch)), system_now_ms())
            added += pace.batch
            await asyncio.sleep(pace.pause_seconds)
        return added
    finally:
        await client.aclose()


@dataclass(frozen=True, slots=True)
class Change:
    """A process that changes a project."""

    child: Child
    output_path: Path
    jobs: Jobs

    def stop(self) -> Jobs:
        """Ends it; returns the jobs that there are then."""
        self.child.check()
        self.child.stop()
        added = int(self.output_path.read_text().split()[-1])
        return self.jobs.with_added(islice(additions(self.jobs.user_count), added))


@contextmanager
def changing(folder: Path, redis: RedisServer, jobs: Jobs, pace: Pace = _OFTEN) -> Iterator[Change]:
    """Adds to these jobs in a process of its own."""
    path = folder / "changing.out"
    arguments = [redis.url, str(jobs.user_count), str(pace.batch), str(pace.pause_seconds)]
    with (
        path.open("wb") as output,
        running_module(folder, "bench.changing", environment_for(), arguments, output) as child,
    ):
        wait_until(child, lambda: path.stat().st_size > 0, "begin")
        yield Change(child, path, jobs)


if __name__ == "__main__":
    _, url, user_count, batch, pause = sys.argv
    print(asyncio.run(change(url, int(user_count), Pace(int(batch), float(pause)))))
