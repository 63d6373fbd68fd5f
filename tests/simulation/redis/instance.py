"""One life of a server: from a start until it is killed or another takes its place."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tests.simulation.redis.log import log_path
from tests.simulation.redis.process import RedisProcess
from tests.simulation.redis.shard import Shard
from tests.simulation.redis.wire import Wire

if TYPE_CHECKING:
    from tests.simulation.redis.front import Front

State = bytes
"""What a Redis knows: the file that SAVE writes."""


class Instance:
    """A server that has been launched, and its connections. It gets the commands `orders`; `wire` is a client of it."""

    def __init__(
        self, process: RedisProcess, shard: Shard | None, run_id: bytes, orders: Iterable[Sequence[str]]
    ) -> None:
        self.process = process
        self.run_id = run_id
        self.wire: Wire = process.wait_ready()
        if shard is not None:
            shard.take_over(self.wire)
        for order in orders:
            self.wire.call(*order)
        self.fronts: dict[Front, None] = {}
        self.is_frozen = False
        self.is_loading = False
        self.waiting: list[Front] = []  # whose command has come while it was frozen, once for each command

    def end(self, *, gently: bool = False) -> None:
        """Ends the process. Its connections are left to the caller."""
        self.wire.close()
        if gently:
            self.process.stop()
        else:
            self.process.kill()

    def snapshot(self) -> State:
        """Returns what it knows now."""
        self.wire.call("SAVE")
        return (self.process.folder / "dump.rdb").read_bytes()

    def demote(self) -> None:
        """Makes it the replica of a primary that is not there."""
        self.wire.call("REPLICAOF", "127.0.0.1", 1)

    def await_rewrite(self) -> None:
        """Returns when the append-only file is not being written anew; blocks."""
        busy = b"aof_rewrite_in_progress:1", b"aof_rewrite_scheduled:1"
        while True:
            info: bytes = self.wire.call("INFO", "persistence")
            if not any(words in info for words in busy):
                return

    def fill_disk(self) -> None:
        """Has each write to its append-only file fail from now on."""
        self.process.limit_files(log_path(self.process.folder).stat().st_size)

    def free_disk(self) -> None:
        """Lets it write to files again; what it could not write until now it has written when this returns."""
        self.process.limit_files(None)
        self.wire.call("ECHO", "-")  # before it replies it tries again, while it may still refuse a PING
