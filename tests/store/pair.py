"""A primary and its replica, whose places a test may swap."""

from pathlib import Path
from typing import Any

from redis import Redis as SyncRedis

from deploy.local.process import wait_until
from deploy.local.servers import free_port, start_redis
from tests.servers import redis_program

AT_ONCE = ("--repl-diskless-sync-delay", "0")


class Pair:
    """A primary and its replica; `fail_over` swaps them."""

    def __init__(self, folder: Path) -> None:
        self._ports = [free_port() for _ in range(2)]
        self._children = [
            start_redis(redis_program(), port, folder / str(port), folder / f"{port}.log", AT_ONCE)
            for port in self._ports
        ]
        self.admins = [SyncRedis(port=port) for port in self._ports]
        self.urls = [f"redis://127.0.0.1:{port}/0" for port in self._ports]
        self._replicate(of=0)

    def fail_over(self) -> None:
        """Promotes the second once it has all, and makes the first its replica; the first keeps its clients."""
        wait_until(self._children[1], lambda: self._offset(0) == self._offset(1), "have all that its primary has")
        self.admins[1].replicaof("NO", "ONE")
        self._replicate(of=1)

    def lose_primary(self) -> None:
        """Leaves the first server a replica of nothing, with what it has."""
        self.admins[0].replicaof("127.0.0.1", str(free_port()))

    def _offset(self, number: int) -> int:
        info: Any = self.admins[number].info("replication")
        return int(info["slave_repl_offset" if info["role"] == "slave" else "master_repl_offset"])

    def _replicate(self, of: int) -> None:
        replica = self.admins[1 - of]
        replica.replicaof("127.0.0.1", str(self._ports[of]))
        is_up: Any = lambda: replica.info("replication")["master_link_status"] == "up"  # noqa: E731
        wait_until(self._children[1 - of], is_up, "replicate")

    def stop(self) -> None:
        """Stops both."""
        for admin in self.admins:
            admin.close()
        for child in self._children:
            child.stop()
