"""Calls Lua scripts, and loads them into servers through the gate. Every write to the store goes this way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from hashlib import sha1
from importlib import resources
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError

from service.store.redis.gate import load_behind_gate
from service.store.redis.outages import is_outage

Command = tuple[str | bytes | int, ...]
"""The name of a command, its key, and its arguments."""

_COMMON = "common.lua"

Heard = Callable[[int, float], None]
"""Hears how many calls were sent together, and in how many seconds the last of them was answered or failed."""


def unheard(_calls: int, _seconds: float) -> None:
    """Hears of calls, and does nothing."""


class Script:
    """A Lua script, joined from files below `service/store/scripts/` in the order given, after common.lua.

    `flags` is a first line that tells Redis how to run it.
    """

    def __init__(self, *paths: str, flags: str = "") -> None:
        folder = resources.files("service.store") / "scripts"
        parts = [folder.joinpath(path).read_text() for path in (_COMMON, *paths)]
        self._text = "\n".join([flags, *parts] if flags else parts)
        self.sha = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def load(self, client: Redis | RedisCluster, keys: Sequence[str | bytes] = ()) -> None:
        """Loads the script into the servers that have these keys, without keys into all; through the gate.

        Raises StoreUnavailableError, and what the client raises.
        """
        await load_behind_gate(client, self._text, keys)

    async def run(
        self, client: Redis | RedisCluster, keys: Sequence[str | bytes], *arguments: str | bytes | int
    ) -> Any:
        """Calls the script and returns its reply. On a cluster all keys must have one hash tag.

        Raises StoreUnavailableError, and what the client raises.
        """
        words = "EVALSHA", self.sha, len(keys), *keys, *arguments
        try:
            return await client.execute_command(*words)
        except NoScriptError:  # the server has started, or become a primary, since the script was loaded
            await self.load(client, keys[:1])
        try:
            return await client.execute_command(*words)
        except NoScriptError:  # the keys are being moved to yet another server
            await self.load(client)
            return await client.execute_command(*words)

    async def run_each(
        self, client: Redis | RedisCluster, calls: Sequence[Sequence[Any]], heard: Heard = unheard
    ) -> list[Any]:
        """Calls the script several times; returns the replies, with errors in the place of replies.

        A call is the number of its keys, the keys, and the arguments. `heard` is told how long replies took. Raises
        StoreUnavailableError, and what the client raises.
        """
        replies = await self._send(client, calls, heard)
        for everywhere in (False, True):  # the script is loaded, as in `run`
            unknown = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if not unknown:
                break
            keys = [] if everywhere else [calls[at][1] for at in unknown]
            [failure] = await asyncio.gather(self.load(client, keys), return_exceptions=True)
            if failure is not None and not is_outage(failure):
                raise failure
            for at, reply in zip(unknown, await self._send(client, [calls[at] for at in unknown], heard), strict=True):
                replies[at] = failure if failure and isinstance(reply, NoScriptError) else reply
        return replies

    async def _send(self, client: Redis | RedisCluster, calls: Sequence[Sequence[Any]], heard: Heard) -> list[Any]:
        commands = [("EVALSHA", self.sha, *call) for call in calls]
        if isinstance(client, RedisCluster):  # a pipeline over several nodes may run a command twice
            sent = [_timed(client.execute_command(*command), 1, heard) for command in commands]
            return await asyncio.gather(*sent, return_exceptions=True)
        async with client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = await _timed(pipeline.execute(raise_on_error=False), len(commands), heard)
            return replies


async def _timed(replies: Awaitable[Any], calls: int, heard: Heard) -> Any:
    started = time.perf_counter()
    try:
        return await replies
    finally:
        if calls:
            heard(calls, time.perf_counter() - started)


async def write(client: Redis | RedisCluster, *commands: Command) -> Any:
    """Runs commands whose keys have one hash tag in a script; returns the reply to the last command.

    A command is a name, a key and arguments. Raises StoreUnavailableError, and what the client raises.
    """
    keys, words = split_commands(commands)
    return await _WRITE.run(client, keys, *words)


def split_commands(commands: Iterable[Command]) -> tuple[list[str | bytes], list[str | bytes | int]]:
    """Returns the keys of commands, and of each command the number of its other words and these words."""
    keys: list[str | bytes] = []
    words: list[str | bytes | int] = []
    for name, key, *arguments in commands:
        keys.append(key if isinstance(key, bytes) else str(key))
        words += [1 + len(arguments), name, *arguments]
    return keys, words


_WRITE = Script("write.lua")
