"""Fills a store with a stream, in the batches of a consumer that is behind, without a broker."""

from collections.abc import Sequence

from bench.recount import to_event
from bench.streams import Transition
from consumers.worker import WorkerPolicy
from deploy.local.plan import TOPIC
from service.store.batch import fold
from service.store.client import create_writer_client
from service.store.writer import Step, StoreWriter, StripeBatch


async def load(redis_url: str, stream: Sequence[Transition]) -> None:
    """Applies a stream to an empty store, as if it were the one partition of a topic."""
    size = WorkerPolicy(TOPIC).max_batch_records
    client = create_writer_client(redis_url, cluster=False)
    try:
        writer = StoreWriter(client)
        stored: dict[int, int] = {}
        for first in range(0, len(stream), size):
            events = [to_event(each) for each in stream[first : first + size]]
            end = first + len(events)
            stripes = fold(events)
            await writer.apply(
                1,
                [
                    StripeBatch(stripe, [Step(0, stored.get(stripe, 0), end, 0)], projects)
                    for stripe, projects in stripes.items()
                ],
            )
            stored.update(dict.fromkeys(stripes, end))
    finally:
        await client.aclose()
