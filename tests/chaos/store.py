"""The Redis of a system that breaks: behind a proxy, with an append-only file, replaced by others that know less."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from redis.asyncio import Redis

from deploy.local.process import ChildFailedError
from deploy.local.waiting import eventually
from tests.consumers.support import RedisServer
from tests.store.proxy import Proxy, running_proxy

CONSUMERS, SERVICE = "consumers", "service"  # users of Redis
_USERS = tuple(
    word for user in (CONSUMERS, SERVICE) for word in ("--user", user, "on", f">{user}", "~*", "&*", "+@all")
)
_OPTIONS = (*_USERS, "--appendonly", "yes", "--appendfsync", "everysec")
_BEGIN, _END = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"  # of a script's writes in the append-only file
_LAST_BLOCKS = 3
_BASE = "appendonly.aof.1.base.rdb"
_ENDED_AFTER_CUTTING = "the truncated file is not the last file"


class BreakableStore:
    """`url` stays the same whatever Redis is behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers = 0
        self._server, self._data = self._start_new()
        self._proxy: Proxy
        self.url = ""

    def _start_new(self, snapshot: Path | None = None) -> tuple[RedisServer, Path]:
        """Another Redis, empty or with the snapshot given, and where it keeps its data."""
        data = self._folder / f"redis-{self._servers}"
        self._servers += 1
        data.mkdir(parents=True)
        if snapshot is not None:  # as what its append-only file begins with: else Redis does not look at it
            log = data / "appendonlydir"
            log.mkdir()
            shutil.copy(snapshot, log / _BASE)
            (log / "appendonly.aof.manifest").write_text(f"file {_BASE} seq 1 type b\n")
        return RedisServer(data, _OPTIONS), data

    @asynccontextmanager
    async def reachable(self) -> AsyncIterator["BreakableStore"]:
        """The store with its proxy; both end with the block."""
        try:
            async with running_proxy(self._server.url) as self._proxy:
                self.url = self._proxy.url
                yield self
        finally:
            self._server.kill()

    def url_of(self, user: str) -> str:
        """The URL with which somebody comes as this user."""
        return self.url.replace("//", f"//{user}:{user}@")

    def direct_url_of(self, user: str) -> str:
        """The URL of the Redis that is there now, past the proxy, for this user."""
        return self._server.url.replace("//", f"//{user}:{user}@")

    @property
    def proxy(self) -> Proxy:
        """What is between the store and all its clients."""
        return self._proxy

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Redis]:
        """A client of the Redis itself, past the proxy."""
        async with Redis.from_url(self._server.url) as client:
            yield client

    def kill(self) -> None:
        """Ends Redis without any warning."""
        self._server.kill()

    def start(self) -> None:
        """Starts the same Redis again, over what its file has.

        Where a broken file was just being written anew, Redis cuts it and ends, and comes at the next start.
        """
        try:
            self._server.start()
        except ChildFailedError as error:
            if _ENDED_AFTER_CUTTING not in str(error):
                raise
            self._server.start()

    def cut_file(self, length_bytes: int) -> None:
        """Takes so much from the end of the append-only file of a Redis that was killed."""
        path = self._server.log_path
        with path.open("r+b") as file:
            file.truncate(max(0, path.stat().st_size - length_bytes))

    def cut_block(self, rnd: Random) -> None:
        """Lets the append-only file of a Redis that was killed end inside of one of its last scripts' writes."""
        path = self._server.log_path
        data = path.read_bytes()
        end = len(data)
        for _ in range(rnd.randint(1, _LAST_BLOCKS)):
            end = max(0, data.rfind(_END, 0, end))
        begin = data.rfind(_BEGIN, 0, end)
        if begin >= 0:  # else nothing has been written since the file was begun
            path.write_bytes(data[: rnd.randrange(begin + 1, end + len(_END))])

    def restart(self) -> None:
        """Starts the same Redis again, as one does who plans to."""
        self._server.stop()
        self._server.start()

    async def replace(self, snapshot: Path | None) -> None:
        """Another Redis takes over: an empty one, or one that knows what the snapshot does."""
        self._server.kill()
        self._server, self._data = self._start_new(snapshot)
        await self._proxy.lead_to(self._server.url)

    async def snapshot(self) -> Path:
        """What Redis holds now, in a file."""
        async with self.client() as client:
            await client.save()
        return Path(shutil.copy(self._data / "dump.rdb", self._folder / f"{self._data.name}.rdb"))

    async def cut_off_replica(self) -> "Replica":
        """A replica that knows what Redis knows now, and hears no more from it."""
        replica = Replica(*self._start_new())
        async with Redis.from_url(replica.server.url) as client, self.client() as primary:
            address = primary.connection_pool.connection_kwargs
            await client.replicaof(address["host"], address["port"])

            async def is_in_step() -> bool:
                info = await client.info("replication")
                return info["master_link_status"] == "up" and not info["master_sync_in_progress"]

            await eventually(is_in_step, "the replica is in step")
            await client.replicaof("NO", "ONE")
        return replica

    async def promote(self, replica: "Replica") -> None:
        """The replica takes over from a Redis that knows more."""
        self._server.kill()
        self._server, self._data = replica.server, replica.data
        await self._proxy.lead_to(self._server.url)


@dataclass(frozen=True, slots=True)
class Replica:
    """A Redis that may take over, and where it keeps its data."""

    server: RedisServer
    data: Path
