"""Deletes the keys of retired generations, some at a time. It is the last step of a rebuild.

It looks through all keys of the store, and not only those that metas and shapes lead to: a generation may have been
given up because its metas or shapes were wrong, and its number may be used again.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Set

from redis.asyncio import Redis, RedisCluster

from service.store.layout.keys import head_key, retired_key
from service.store.redis.script import Script
from service.store.redis.views import scan_keys

_DELETED_PER_CALL = 500

# Matches "{s07}3:...". A key "{s07}:..." of one part is the stripe's own, but for these four: they are generation 0's.
_KEY = re.compile(rb"\{s(\d\d)\}(?:(\d+):|:(?:[^:]+:|projects$|gaps$|swept$|totals$))")


async def delete_generations(client: Redis | RedisCluster, retired: Mapping[int, Set[int]]) -> int:
    """Deletes all keys of the generations given by stripe; returns how many. Raises what the client raises."""
    script, count = Script("delete.lua"), 0
    waiting: defaultdict[tuple[int, int], list[bytes]] = defaultdict(list)

    async def delete(stripe: int, generation: int) -> None:
        nonlocal count
        keys: list[str | bytes] = [retired_key(stripe), head_key(stripe), *waiting.pop((stripe, generation))]
        count += int(await script.run(client, keys, generation))

    async for key in scan_keys(client):
        match = _KEY.match(key)
        group = (int(match[1]), int(match[2] or 0)) if match else None
        if group and group[1] in retired.get(group[0], ()):
            waiting[group].append(key)
            if len(waiting[group]) == _DELETED_PER_CALL:
                await delete(*group)
    for group in list(waiting):
        await delete(*group)
    return count
