"""One simulated primary: a real Redis behind an address, with everything that can break it.

    server = SimulatedRedis(home, rnd, now_ms, users=("consumers", "service"))
    server.start()                                  # launched by then; blocks for some 10 ms of wall clock
    loop.create_server(server.protocol, host, port) # or the simulation's network, which refuses connects unless
    server.is_listening                             # this says so
    server.kill(); server.start()                   # each fault is a plain call, between commands
    server.close(); home.close()

All faults take effect before they return. Where a fault may do one thing or the other to a connection, `rnd` decides.

- process: `kill`, `stop`, `start(loads=)` and `loaded`, `restore(state)` with a `snapshot()`, `empty`, `cut_log`,
  `cut_block` (`start` is to follow these two), `promote(state, Old)` and `end_old`
- its time: `freeze`, `thaw`; `slow_seconds`
- network: `drop_connections`, `forget_connections`, `kill_clients`, `lose_replies`, `lose_commands`, `cut_pipeline`
- what it may: `forbid`, `allow`, `restrict`, `fill`, `free`, `configure`, `fill_disk`, `free_disk`, `demote`,
  `end_demotion`, `flush_scripts`
- to look at: `instance`, `ask`, `commands` and `digest` (the same in two runs of one seed), `before_command`
"""

import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.simulation.redis.front import Front
from tests.simulation.redis.home import Home
from tests.simulation.redis.instance import Instance
from tests.simulation.redis.lives import Lives
from tests.simulation.redis.losses import Losses
from tests.simulation.redis.scans import Scans
from tests.simulation.redis.session import Words
from tests.simulation.redis.shard import Shard

_LEAST_SECONDS, _MORE_SECONDS = 0.0001, 0.002  # that a command or a reply is under way


class SimulatedRedis(Lives):
    """A server that is launched at once. `users` may do everything, and their passwords are their names.

    `now_ms` is the Unix time that INFO tells. `before_command` is called with the words of each command before it runs,
    and may call any fault.
    """

    def __init__(
        self,
        home: Home,
        rnd: Random,
        now_ms: Callable[[], int],
        *,
        users: Sequence[str] = (),
        shard: Shard | None = None,
    ) -> None:
        options = [word for user in users for word in ("--user", user, "on", f">{user}", "~*", "&*", "+@all")]
        super().__init__(home, rnd, options, shard)
        self.now_ms = now_ms
        self.losses = Losses()
        self.scans = Scans()
        self.slow_seconds = 0.0  # by which each reply comes later
        self.commands = self.digest = 0
        self.before_command: Callable[[Words], None] | None = None

    def ask(self, *words: str | bytes | int) -> Any:
        """Returns the reply to a command of nobody's. Raises ReplyError."""
        return self.running.wire.call(*words)

    # -- what fronts ask

    def protocol(self) -> Front:
        """Returns the server's side of a connection that a client makes."""
        return Front(self)

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted."""
        return self.instance is not None

    def is_plain(self, instance: Instance) -> bool:
        """Returns whether nothing is to happen between the commands of a pipeline."""
        return not (self.losses.are_due or instance.is_loading or self.before_command)

    def delay_seconds(self) -> float:
        """Returns how long a command is under way."""
        return _LEAST_SECONDS + _MORE_SECONDS * self.rnd.random() ** 4

    def reply_delay_seconds(self) -> float:
        """Returns how long a reply is under way."""
        return self.slow_seconds + _LEAST_SECONDS + _MORE_SECONDS * self.rnd.random() ** 4

    def note(self, request: bytes, reply: bytes, count: int) -> None:
        """Takes note of commands that have been run."""
        self.commands += count
        self.digest = zlib.crc32(reply, zlib.crc32(request, self.digest))

    # -- its time

    def freeze(self) -> None:
        """Has it do nothing: it accepts connections, and keeps what comes until `thaw`."""
        self.running.is_frozen = True

    def thaw(self) -> None:
        """Runs what came meanwhile, also for clients that are gone, and goes on, if it runs."""
        if self.instance is None:
            return
        self.instance.is_frozen = False
        waiting, self.instance.waiting = self.instance.waiting, []
        for front in waiting:
            front.arrive()

    # -- the network

    def drop_connections(self) -> None:
        """Ends all connections; what is under way, in whichever direction, is lost."""
        for front in self._fronts():
            front.end(loses=True)

    def forget_connections(self) -> None:
        """Passes nothing more over the connections that there are, as a firewall does; new ones work."""
        for front in self._fronts():
            front.mute()

    def kill_clients(self) -> None:
        """Has it end all connections; replies under way arrive."""
        for front in self._fronts():
            front.end(loses=False)

    def lose_replies(self, count: int, *, hangs: bool = False) -> None:
        """Loses the next replies, each of a command that is done; their connections end, or hang for ever."""
        self.losses.replies, self.losses.hangs = count, hangs

    def lose_commands(self, count: int, *, hangs: bool = False) -> None:
        """Loses the next commands; their connections end, or hang for ever."""
        self.losses.commands, self.losses.hangs = count, hangs

    def cut_pipeline(self, done: int | None) -> None:
        """Ends the connection of the next pipeline after so many of its commands, or after all but one; None: not."""
        self.losses.pipeline = done

    def _fronts(self) -> list[Front]:
        return [front for instance in [*self._old, *filter(None, [self.instance])] for front in instance.fronts]

    # -- what it may

    def forbid(self, user: str, command: str) -> None:
        """Denies a user a command (`set`, `script|load`)."""
        self._order("ACL", "SETUSER", user, f"-{command}")

    def allow(self, user: str, command: str) -> None:
        """Ends a `forbid`."""
        self._order("ACL", "SETUSER", user, f"+{command}")

    def restrict(self, user: str, patterns: Sequence[str]) -> None:
        """Lets a user write keys of these patterns alone (`*:m`), and read all; `*` ends it."""
        self._order("ACL", "SETUSER", user, "resetkeys", "%R~*", *(f"%W~{each}" for each in patterns))

    def configure(self, name: str, value: str) -> None:
        """Changes a setting, such as `maxmemory-policy` or `min-replicas-to-write`, also of servers to come."""
        self._order("CONFIG", "SET", name, value)

    def fill(self) -> None:
        """Has it refuse what takes memory."""
        self.configure("maxmemory", "1")

    def free(self) -> None:
        """Ends a `fill`."""
        self.configure("maxmemory", "0")

    def fill_disk(self) -> None:
        """Has writes to its file fail: it refuses writes with MISCONF after the first one that was not stored."""
        self.running.fill_disk()

    def free_disk(self) -> None:
        """Ends a `fill_disk`: all that it knows is in its file when this returns."""
        if self.instance is not None:
            self.instance.free_disk()

    def demote(self) -> None:
        """Makes it the replica of a primary that is not there; in a cluster this is not to be had."""
        self.running.demote()

    def end_demotion(self) -> None:
        """Makes it a primary again, if it runs."""
        if self.instance is not None:
            self.ask("REPLICAOF", "NO", "ONE")

    def flush_scripts(self) -> None:
        """Has it forget all scripts."""
        self.ask("SCRIPT", "FLUSH")
