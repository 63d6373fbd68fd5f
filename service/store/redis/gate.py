"""The gate: makes a server's append-only file whole before it loads any script of ours into the server.

A server that lost power may have an append-only file that ends inside of a transaction. Redis 7 keeps the beginning of
that transaction in the file and appends to it. At the next start it runs that beginning mixed into later writes. So
nothing may be appended to such a file. A server that starts has no scripts, so no client can miss a start: its script
gets NOSCRIPT. Before the gate loads a script, it therefore has Redis write the file anew from memory, unless a marker
script says that this was done since the server started.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoPermissionError, NoScriptError, ResponseError

from service.store.errors import StoreUnavailableError
from service.store.redis.cluster import borrowed
from service.store.redis.outages import is_outage

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.02, 1.0

_log = logging.getLogger(__name__)


async def load_behind_gate(client: Redis | RedisCluster, text: str, keys: Sequence[str | bytes] = ()) -> None:
    """Loads a script into Redis, or into the primaries of a cluster that have these keys, without keys into all.

    Awaits the end of the rewrite wherever a server has to write its append-only file anew. Raises
    StoreUnavailableError, and what the client raises.
    """
    if isinstance(client, RedisCluster):
        await client.initialize()
        owners = [client.get_node_from_key(key) for key in keys]  # type: ignore[arg-type] # it takes bytes, too
        nodes = owners or client.get_primaries()
        await _load_into_each(set(filter(None, nodes)), text)
        return
    async with _connection(client) as connection:
        await _load(connection, text)


async def _load_into_each(nodes: Iterable[ClusterNode], text: str) -> None:
    """Loads a script into all of these nodes that can be reached, then raises the first outage of the others."""

    async def load(node: ClusterNode) -> None:
        async with borrowed(node) as connection:
            await connection.connect()  # type: ignore[no-untyped-call]
            await _load(connection, text)

    results = await asyncio.gather(*map(load, nodes), return_exceptions=True)
    errors = [error for error in results if error is not None]
    for error in sorted(errors, key=is_outage):
        raise error


@asynccontextmanager
async def _connection(client: Redis) -> AsyncIterator[AbstractConnection]:
    connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        yield connection
    finally:
        await client.connection_pool.release(connection)


async def _load(connection: AbstractConnection, text: str) -> None:
    """Loads a script over one connection, which breaks if the server starts anew in between."""
    try:
        info = _parse(await _call(connection, "INFO"))
    except NoPermissionError:
        _log.warning(
            "Redis does not say whether it keeps an append-only file: its user may not run INFO. After a loss of power"
            " its file may have a broken end, which makes a later start count wrong"
        )
    else:
        await _make_log_whole(connection, info)
    await _call(connection, "SCRIPT", "LOAD", text)


async def _make_log_whole(connection: AbstractConnection, info: dict[str, str]) -> None:
    marker = f"return 'the log of run {info.get('run_id')} is whole'"
    try:
        await _call(connection, "EVALSHA", sha1(marker.encode(), usedforsecurity=False).hexdigest(), 0)
    except NoScriptError:
        if info.get("aof_enabled") == "1":
            await _rewrite_log(connection)
        await _call(connection, "SCRIPT", "LOAD", marker)


async def _rewrite_log(connection: AbstractConnection) -> None:
    _log.info("Redis has started anew: its append-only file is written anew before anything is added to it")
    try:
        await _call(connection, "BGREWRITEAOF")
    except NoPermissionError:
        _log.warning(
            "the user of Redis may not run BGREWRITEAOF: after a loss of power its append-only file may have a broken"
            " end, which makes a later start count wrong; run it by hand after each start"
        )
        return
    except ResponseError as error:
        if "in progress" not in str(error):
            raise
    wait_seconds = _FIRST_WAIT_SECONDS
    while True:
        info = _parse(await _call(connection, "INFO", "persistence"))
        if info.get("aof_rewrite_in_progress") == "0" and info.get("aof_rewrite_scheduled") == "0":
            break
        await asyncio.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
    if info.get("aof_last_bgrewrite_status") != "ok":
        raise StoreUnavailableError("Redis cannot write its append-only file anew: see its log, and its disk")


async def _call(connection: AbstractConnection, *words: str | int) -> Any:
    await connection.send_command(*words)
    reply = await connection.read_response()
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def _parse(info: bytes) -> dict[str, str]:
    lines = info.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
