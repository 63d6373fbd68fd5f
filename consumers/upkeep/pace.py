"""Work beside ingest that is to take a share of Redis' time alone, and which stripes of it fall to this consumer."""

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer

from service.store.layout.keys import STRIPES


class Pace:
    """Waits after each call, the longer the longer the call took; `share` gives the part of the time that is used."""

    def __init__(self, share: Callable[[], float], clock: Callable[[], float]) -> None:
        self._share = share
        self._clock = clock
        self._since = clock()

    async def pause(self) -> None:
        """Waits until the time since the last wait is no more than the share."""
        await asyncio.sleep((self._clock() - self._since) * (1 / self._share() - 1))
        self._since = self._clock()


def own_stripes(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    """Returns the stripes that fall to a consumer by its partitions: in a group each falls to somebody."""
    partitions = len(consumer.partitions_for_topic(topic) or ())
    owned = {tp.partition for tp in consumer.assignment()}
    return [stripe for stripe in range(STRIPES) if owned and stripe % partitions in owned]
