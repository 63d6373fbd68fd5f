"""The lives of a server at one address: it starts, ends, loses the end of its file, and others take its place."""

from collections.abc import Sequence
from enum import Enum, auto
from random import Random

from tests.simulation.redis import log
from tests.simulation.redis.home import Home
from tests.simulation.redis.instance import Instance, State
from tests.simulation.redis.process import RedisProcess
from tests.simulation.redis.shard import Shard


class Old(Enum):
    """What becomes of a primary when a replica takes its place, until `end_old`."""

    DIES = auto()
    DEMOTED = auto()  # it keeps its connections, answers what it knows, and refuses writes with READONLY
    ISOLATED = auto()  # it keeps its connections, and takes writes that will be lost


class Lives:
    """Starts and ends the real servers behind an address. Whatever ends one leaves it killed unless it says otherwise.

    `instance` is the one to which new connections lead, None while there is none. Settings and forbidden commands are
    the operator's: each server that starts gets them.
    """

    def __init__(self, home: Home, rnd: Random, options: Sequence[str], shard: Shard | None) -> None:
        self.rnd = rnd
        self.instance: Instance | None = None
        self._home, self._options, self._shard = home, options, shard
        self._orders: dict[tuple[str, ...], None] = {}  # commands that make each server what the operator wants
        self._old: list[Instance] = []
        self._starts = 0
        self._folder = home.folder()
        self._launched: RedisProcess | None = None
        self.launch()

    def launch(self) -> None:
        """Begins to start it, so that several servers start at once; `start` is to follow."""
        options = [*self._options]
        if self._shard is not None:
            self._shard.write(self._folder)
            options += self._shard.options()
        self._launched = RedisProcess(self._folder, options)

    def start(self, *, loads: bool = False) -> None:
        """Starts it over the file that it left; with `loads` it answers LOADING until `loaded`.

        Does nothing if it runs. Raises RedisEndedError if Redis does not come up.
        """
        if self.instance is not None:
            return
        if self._launched is None:
            self.launch()
        assert self._launched is not None
        self._starts += 1
        run_id = b"a%019x%020x" % (self._shard.number if self._shard else 0, self._starts)
        self.instance = Instance(self._launched, self._shard, run_id, self._orders)
        self.instance.is_loading = loads
        self._launched = None

    def loaded(self) -> None:
        """Has it answer all commands from now on, if it runs."""
        if self.instance is not None:
            self.instance.is_loading = False

    @property
    def running(self) -> Instance:
        """The server that runs. Raises AssertionError if none does."""
        assert self.instance is not None, "Redis is not running"
        return self.instance

    def kill(self) -> None:
        """Ends it without any warning, if it runs; some connections get the replies under way, some do not."""
        self._end(gently=False)

    def stop(self) -> None:
        """Ends it as one does who plans to, if it runs; replies under way arrive."""
        self._end(gently=True)

    def _end(self, *, gently: bool) -> None:
        if self.instance is not None:
            self.instance.end(gently=gently)
            _end_fronts(self.instance, None if gently else self.rnd)
            self.instance = None

    def cut_log(self, length_bytes: int) -> None:
        """Kills it, and takes so much from the end of its append-only file."""
        self.kill()
        log.cut_log(self._folder, length_bytes)

    def cut_block(self) -> bool:
        """Kills it, and ends its append-only file inside of one of the last scripts' writes; False if it has none."""
        self.kill()
        return log.cut_block(self._folder, self.rnd)

    def snapshot(self) -> State:
        """Returns what it knows now: to `restore`, or to `promote` a replica that hears no more from now on."""
        return self.running.snapshot()

    def restore(self, state: State | None) -> None:
        """Kills it; another that knows what the snapshot does, or nothing, takes its place at once."""
        self.kill()
        self._replace(state)

    def empty(self) -> None:
        """Kills it; an empty one takes its place at once."""
        self.restore(None)

    def promote(self, state: State, old: Old) -> None:
        """A replica takes its place that was cut off when the snapshot was made; new connections lead to it."""
        if old is Old.DIES:
            self.kill()
        else:
            if old is Old.DEMOTED:
                self.running.demote()
            self._old.append(self.running)
            self.instance = None
        self._replace(state)

    def end_old(self) -> None:
        """Ends those whose place others have taken, and their connections."""
        for old in self._old:
            old.end()
            _end_fronts(old, self.rnd)
        self._old.clear()

    def close(self) -> None:
        """Ends all its processes; connections are left as they are, since the loop may be closed."""
        for instance in [*self._old, *filter(None, [self.instance])]:
            for front in list(instance.fronts):
                front.detach()
            instance.end()
        self._old, self.instance = [], None
        if self._launched is not None:
            self._launched.kill()

    def _replace(self, state: State | None) -> None:
        self._folder = self._home.folder()
        if state is not None:
            log.begin_log(self._folder, state)
        self.start()

    def _order(self, *words: str) -> None:
        """Tells it something that those that come after it are told, too."""
        self._orders.pop(words, None)  # the last of several comes last
        self._orders[words] = None
        if self.instance is not None:
            self.instance.wire.call(*words)


def _end_fronts(instance: Instance, rnd: Random | None) -> None:
    """Ends the connections of a server; without chance no reply is lost."""
    for front in list(instance.fronts):
        front.end(loses=rnd is not None and rnd.random() < 0.5)
