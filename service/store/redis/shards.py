"""Finds a stripe on each primary, for what must be asked of every server: rights are those of one server."""

from redis.asyncio import RedisCluster

from service.store.layout.keys import STRIPES, head_key
from service.store.redis.views import Client


async def one_stripe_each(client: Client) -> list[int]:
    """Returns one stripe for each primary that has stripes: a single Redis has all. Raises what the client raises."""
    if not isinstance(client, RedisCluster):
        return [0]
    await client.initialize()
    owners = {str(client.get_node_from_key(head_key(stripe))): stripe for stripe in range(STRIPES)}
    return list(owners.values())
