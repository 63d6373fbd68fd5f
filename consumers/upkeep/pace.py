"""Keeps work beside ingest to a share of Redis' time, and says which stripes fall to this consumer."""

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer

from service.store.layout.keys import STRIPES


class Pace:
    """Waits after each call, and longer after a longer call; `share` returns the share of the time that may be used."""

    def __init__(self, share: Callable[[], float], clock: Callable[[], float]) -> None:
        self._share = share
        self._clock = clock
        self._since = clock()

    async def pause(self) -> None:
        """Waits until the time since the last wait was used no more than the share allows."""
        await asyncio.sleep((self._clock() - self._since) * (1 / self._share() - 1))
        self._since = self._clock()


def own_stripes(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    """Returns the stripes that fall to a consumer by its partitions; in a group each stripe falls to some consumer."""
    partitions = len(consumer.partitions_for_topic(topic) or ())
    owned = {tp.partition for tp in consumer.assignment()}
    return [stripe for stripe in range(STRIPES) if owned and stripe % partitions in owned]
