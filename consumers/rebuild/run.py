"""Runs a whole rebuild: deletes what a former one left, builds the new generation, and deletes the old one.

The command `rebuild` calls it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaClient

from consumers.kafka.clients import connection_options, create_reader
from consumers.kafka.stopping import stop_client
from consumers.policy import MAX_BATCH_RECORDS
from consumers.rebuild.builder import Rebuild, RebuildPolicy, ShowProgress
from consumers.store_client import store_client
from service.runtime.settings import ConsumerSettings
from service.store.generations import Generations
from service.store.redis.clock import system_now_ms


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Holds the result of a rebuild: the records that this process read, by reason those that count nowhere, gaps."""

    generation: int
    records: int
    dead_letters: dict[str, int]
    gaps: int
    deleted_keys: int


@asynccontextmanager
async def open_generations(settings: ConsumerSettings) -> AsyncIterator[Generations]:
    """Opens the store's generations, with a Redis client that is closed when the block ends."""
    async with store_client(settings) as client:
        yield Generations(client)


async def rebuild(
    settings: ConsumerSettings, accept_gaps: bool, show_progress: ShowProgress, batch_records: int = MAX_BATCH_RECORDS
) -> Rebuilt:
    """Builds a new generation, or goes on with one, makes it the live one, and deletes the former.

    The command `rebuild` awaits it. Raises what Rebuild.run raises.
    """
    policy = RebuildPolicy(
        settings.kafka_topic,
        settings.retention_days,
        accept_gaps,
        system_now_ms,
        batch_records,
    )
    async with AsyncExitStack() as stack:
        generations = await stack.enter_async_context(open_generations(settings))
        await generations.delete_retired()
        kafka = AIOKafkaClient(**connection_options(settings))
        stack.push_async_callback(stop_client, kafka)
        await kafka.bootstrap()
        consumer = create_reader(settings)
        stack.push_async_callback(stop_client, consumer)
        await consumer.start()
        generation, counts = await Rebuild(consumer, kafka, generations, policy, show_progress).run()
        gaps = max(head.gaps for head in (await generations.look()).live)
        keys = await generations.delete_retired()
    return Rebuilt(generation, counts.records, dict(counts.dead_letters), gaps, keys)


async def discard(settings: ConsumerSettings) -> int:
    """Deletes the generation that an unfinished rebuild has built; returns how many keys were deleted.

    The command `rebuild --discard` awaits it. Raises GenerationError, and what the store raises.
    """
    async with open_generations(settings) as generations:
        building = await generations.look()
        if building.is_begun:
            await generations.discard(building)
        return await generations.delete_retired()
