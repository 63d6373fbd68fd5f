"""Reads the INFO of Redis servers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError

from service.store.redis.outages import is_outage, reaching


async def read_info(client: Redis | RedisCluster, doing: str, *sections: str) -> Sequence[Mapping[str, Any]] | None:
    """Returns these sections of the INFO of each primary that answers, or None where the user may not run INFO.

    Raises StoreUnavailableError, with `doing`, which says what was under way, if none answers.
    """
    with reaching(doing):
        try:
            if not isinstance(client, RedisCluster):
                return [await client.info(*sections)]
            return await _read_each(client, sections)
        except NoPermissionError:
            return None


async def _read_each(client: RedisCluster, sections: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    await client.initialize()
    asked = [client.info(*sections, target_nodes=node) for node in client.get_primaries()]
    replies: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    errors = [reply for reply in replies if isinstance(reply, BaseException)]
    for error in errors:
        if len(errors) == len(replies) or isinstance(error, NoPermissionError) or not is_outage(error):
            raise error
    return [reply for reply in replies if not isinstance(reply, BaseException)]
