"""Reads the ledgers of gaps."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from service.store.layout.gaps import Gap, parse_gaps
from service.store.layout.heads import Head
from service.store.layout.keys import gaps_key
from service.store.redis.outages import reaching
from service.store.redis.views import is_foreign


async def read_gaps(client: Redis | RedisCluster, heads: Sequence[Head]) -> dict[int, list[Gap]]:
    """The gaps of each stripe whose head says that it has any; `heads` are those of all stripes, in their order.

    Of a ledger that is damaged, those that can be read. Raises StoreUnavailableError.
    """
    stripes = [stripe for stripe, head in enumerate(heads) if head.gaps]
    ledgers = await asyncio.gather(*[_read_ledger(client, stripe, heads[stripe].live.generation) for stripe in stripes])
    return {stripe: parse_gaps(ledger) for stripe, ledger in zip(stripes, ledgers, strict=True)}


async def _read_ledger(client: Redis | RedisCluster, stripe: int, generation: int) -> bytes:
    with reaching("reading the ledger of gaps"):
        try:
            ledger: Any = await client.get(gaps_key(stripe, generation))
        except ResponseError as error:
            if is_foreign(error):
                return b""
            raise
    return bytes(ledger or b"")
