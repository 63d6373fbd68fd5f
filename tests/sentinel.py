"""A primary with two replicas, watched by three sentinels that know each other from the start."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis import Redis

from deploy.local.process import Child, redis_answers, start_child, wait_ready, wait_until
from deploy.local.servers import free_port, start_redis

SERVICE = "stats"
_SERVERS = 3
_AT_ONCE = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


def start_sentinel(program: str, port: int, folder: Path, *lines: str) -> Child:
    """A sentinel with these lines in its configuration; returns when it answers."""
    folder.mkdir(parents=True)
    conf = folder / "sentinel.conf"
    conf.write_text("\n".join([f"port {port}", "bind 127.0.0.1", f"dir {folder}", *lines, ""]))
    child = start_child("sentinel", [program, str(conf), "--sentinel"], {}, folder / "sentinel.log")
    return wait_ready(child, lambda: redis_answers(port), "answer")


class Watched:
    """The servers and their sentinels. `url` names all sentinels."""

    def __init__(self, program: str, folder: Path) -> None:
        self.ports = [free_port() for _ in range(_SERVERS)]
        self._servers = {
            port: start_redis(program, port, folder / str(port), folder / f"{port}.log", _AT_ONCE)
            for port in self.ports
        }
        for port in self.ports[1:]:
            with Redis(port=port) as replica:
                replica.replicaof("127.0.0.1", str(self.ports[0]))
                wait_until(self._servers[port], lambda: _is_in_step(replica), "replicate")
        self._sentinels = self._start_sentinels(program, folder)
        self.url = f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self._sentinels)}/{SERVICE}/0"

    def _start_sentinels(self, program: str, folder: Path) -> dict[int, Child]:
        ids = {free_port(): secrets.token_hex(20) for _ in range(3)}
        return {port: start_sentinel(program, port, folder / str(port), *self._lines(ids, port)) for port in ids}

    def _lines(self, ids: dict[int, str], own: int) -> Sequence[str]:
        return [
            f"sentinel myid {ids[own]}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.ports[0]} 2",
            f"sentinel down-after-milliseconds {SERVICE} 500",
            f"sentinel failover-timeout {SERVICE} 5000",
            *(f"sentinel known-replica {SERVICE} 127.0.0.1 {port}" for port in self.ports[1:]),
            *(f"sentinel known-sentinel {SERVICE} 127.0.0.1 {port} {ids[port]}" for port in ids if port != own),
        ]

    def primary(self) -> int:
        """The port of the server that a sentinel names."""
        return int(self._ask("GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def fail_over(self) -> None:
        """Has the sentinels promote another server, while all are well; returns when they have."""
        before = self.primary()
        self._ask("FAILOVER", SERVICE)
        self._wait_other(before)

    def kill_primary(self) -> None:
        """Kills the primary; returns when the sentinels have promoted another."""
        before = self.primary()
        self._servers[before].process.kill()
        self._wait_other(before)

    def _wait_other(self, before: int) -> None:
        wait_until(next(iter(self._sentinels.values())), lambda: self.primary() != before, "name another primary")

    def _ask(self, *words: str) -> Any:
        with Redis(port=next(iter(self._sentinels))) as sentinel:
            return sentinel.execute_command("SENTINEL", *words)

    def stop(self) -> None:
        """Ends all of them: their data is not needed any more."""
        for child in [*self._sentinels.values(), *self._servers.values()]:
            child.process.kill()
            child.process.wait()


def _is_in_step(replica: Redis) -> bool:
    info: Any = replica.info("replication")
    return bool(info["master_link_status"] == "up")
