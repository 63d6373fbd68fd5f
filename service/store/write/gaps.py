"""Reads the ledgers of gaps. Consumers and a rebuild use it to report what was never read."""

from collections.abc import Sequence

from redis.asyncio import Redis, RedisCluster

from service.runtime.tasks import side_by_side
from service.store.layout.gaps import Gap, parse_gaps
from service.store.layout.heads import Head
from service.store.layout.keys import gaps_key
from service.store.redis.views import read_at_once


async def read_gaps(client: Redis | RedisCluster, heads: Sequence[Head]) -> dict[int, list[Gap]]:
    """Returns the gaps of each stripe whose head says that it has any; `heads` has one head a stripe, in order.

    Of a damaged ledger it returns the gaps that can be read. Raises StoreUnavailableError.
    """
    stripes = [stripe for stripe, head in enumerate(heads) if head.gaps]
    ledgers = await side_by_side(*[_read_ledger(client, stripe, heads[stripe].live.generation) for stripe in stripes])
    return {stripe: parse_gaps(ledger) for stripe, ledger in zip(stripes, ledgers, strict=True)}


async def _read_ledger(client: Redis | RedisCluster, stripe: int, generation: int) -> bytes:
    [ledger] = await read_at_once(client, [("GET", gaps_key(stripe, generation))])
    return ledger if isinstance(ledger, bytes) else b""
