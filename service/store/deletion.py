"""Deletes the keys of generations that nobody reads any more, some at a time.

All keys of the store are looked through once, and not only those that metas and shapes know of: a generation may have
been given up because its metas or shapes were wrong, and its number may be used again.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Set

from redis.asyncio import Redis, RedisCluster

from service.store.layout.keys import head_key, retired_key
from service.store.redis.script import Script

_LOOKED_AT_PER_CALL = 1_000
_DELETED_PER_CALL = 500

# "{s07}3:..."; what of "{s07}:..." has one part is the stripe's own, and not of generation 0, but for these
_KEY = re.compile(rb"\{s(\d\d)\}(?:(\d+):|:(?:[^:]+:|projects$|gaps$|swept$))")


async def delete_generations(client: Redis | RedisCluster, retired: Mapping[int, Set[int]]) -> int:
    """Deletes all keys of these generations, given by stripe; returns how many. Raises what the client raises."""
    script, count = Script("delete.lua"), 0
    waiting: defaultdict[tuple[int, int], list[bytes]] = defaultdict(list)

    async def delete(stripe: int, generation: int) -> None:
        nonlocal count
        keys: list[str | bytes] = [retired_key(stripe), head_key(stripe), *waiting.pop((stripe, generation))]
        count += int(await script.run(client, keys, generation))

    async for key in client.scan_iter(match="{s[0-9][0-9]}*", count=_LOOKED_AT_PER_CALL):
        match = _KEY.match(key)
        group = (int(match[1]), int(match[2] or 0)) if match else None
        if group and group[1] in retired.get(group[0], ()):
            waiting[group].append(key)
            if len(waiting[group]) == _DELETED_PER_CALL:
                await delete(*group)
    for group in list(waiting):
        await delete(*group)
    return count
