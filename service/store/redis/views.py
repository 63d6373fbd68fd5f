"""Reads several keys at one instant, and tells damage from an outage. Audit, sweep and writer read with it."""

import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from service.store.layout.heads import Head, check_layout, head_bytes, parse_head
from service.store.layout.keys import head_key
from service.store.redis.cluster import Cluster
from service.store.redis.key_prefix import without_prefix
from service.store.redis.outages import reaching

Client = Redis | RedisCluster

_LOOKED_AT_PER_CALL = 1_000


class DamagedError(Exception):
    """The value of a key is none that the store can have written, and the work cannot go on without it."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"{key} {what}")
        self.key = key
        self.what = what


class Foreign:
    """Stands in the place of a reply: the value of the key has another type than the store keeps there."""


FOREIGN: Final = Foreign()


def is_foreign(error: BaseException) -> bool:
    """Tells whether an error says that a value has another type than the command is for."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")


def parse_stored_head(stripe: int, data: bytes | Foreign | None) -> Head:
    """Returns the head that a string is; raises DamagedError if it is none, LayoutError for another version."""
    if isinstance(data, Foreign):
        raise DamagedError(head_key(stripe), "is no string")
    try:
        head = check_layout(parse_head(data))
    except struct.error:
        raise DamagedError(head_key(stripe), f"is no head: {len(data or b'')} bytes") from None
    if data is not None and len(data) != head_bytes(len(head.progress)):
        raise DamagedError(head_key(stripe), f"is no head: {len(data)} bytes, {len(head.progress)} partitions")
    return head


async def read_at_once(client: Client, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """Runs read commands of one slot at one instant; returns the replies, FOREIGN for a value of another type.

    Raises StoreUnavailableError.
    """
    with reaching("reading the store"):
        try:
            if len(commands) == 1:
                return [await client.execute_command(*commands[0])]
            replies = await _transact(client, commands)
        except ResponseError as error:
            if is_foreign(error):
                return [FOREIGN]
            raise
        for reply in replies:
            if isinstance(reply, BaseException) and not is_foreign(reply):
                raise reply
    return [FOREIGN if isinstance(reply, BaseException) else reply for reply in replies]


async def _transact(client: Client, commands: Sequence[Sequence[Any]]) -> list[Any]:
    if isinstance(client, Cluster):  # the library's own transactions do not follow a slot that is moved
        return await client.transact(commands)
    async with client.pipeline(transaction=True) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute(raise_on_error=False)


async def read_head(client: Client, stripe: int) -> Head:
    """Returns a stripe's head. Raises DamagedError, LayoutError, StoreUnavailableError."""
    [data] = await read_at_once(client, [("GET", head_key(stripe))])
    return parse_stored_head(stripe, data)


async def scan_keys(client: Client) -> AsyncIterator[bytes]:
    """Yields the names of all keys of the store, without its prefix; some may come twice.

    It looks at every key of the server, also at those of others. Raises what the client raises.
    """
    async for key in client.scan_iter(match="{s[0-9][0-9]}*", count=_LOOKED_AT_PER_CALL):
        yield without_prefix(key)
