"""A client's session with a real Redis, whose replies are the same in each run with the same commands."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tests.simulation.redis import replies
from tests.simulation.redis.scans import Scans
from tests.simulation.redis.wire import Wire, encoded

if TYPE_CHECKING:
    from tests.simulation.redis.instance import Instance

Words = Sequence[bytes]
Command = tuple[Words, bytes]
"""The words of a command, and the bytes that it was sent as."""

_LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
_WHILE_LOADING = frozenset({b"AUTH", b"CLIENT", b"HELLO", b"INFO", b"SELECT"})
_APART = replies.UNORDERED | {b"BGREWRITEAOF", b"DISCARD", b"EXEC", b"INFO", b"MULTI", b"SCAN"}


def are_together(commands: Sequence[Command]) -> bool:
    """Returns whether nobody has to look at any of these commands, or at the reply to it."""
    return not any(words[0].upper() in _APART for words, _ in commands)


class Session:
    """Runs commands over a connection of its own, and blocks until Redis has replied. All raise WireEndedError."""

    def __init__(self, instance: "Instance", now_ms: Callable[[], int], scans: Scans) -> None:
        self._instance = instance
        self._now_ms = now_ms
        self._scans = scans
        self._wire = Wire(instance.process.path)
        self._queued: list[bytes] | None = None  # the names of the commands since MULTI

    def close(self) -> None:
        """Ends the connection."""
        self._wire.close()

    def run_together(self, request: bytes, commands: Sequence[Command]) -> bytes:
        """Returns the replies to commands that are one request; `are_together` has said that they may be."""
        if self._queued is not None:
            self._queued += [words[0].upper() for words, _ in commands]
        return self._wire.exchange(request, len(commands))

    def run(self, command: Command) -> bytes:
        """Returns the reply to a command."""
        words, request = command
        name = words[0].upper()
        if self._instance.is_loading and name not in _WHILE_LOADING:
            return _LOADING
        reply = self._wire.exchange(request)
        if name in {b"EXEC", b"DISCARD"}:
            queued, self._queued = self._queued, None
            if name == b"EXEC" and queued and not replies.UNORDERED.isdisjoint(queued):
                return replies.all_in_order(queued, reply)
        elif reply.startswith(b"-"):
            return reply
        elif self._queued is not None:
            self._queued.append(name)
        elif name == b"MULTI":
            self._queued = []
        elif name in _APART:
            return self._unified(name, words, reply)
        return reply

    def _unified(self, name: bytes, words: Words, reply: bytes) -> bytes:
        """Returns what the reply to one of the commands that are apart is in each run."""
        if name in replies.UNORDERED:
            return replies.in_order(name, reply)
        if name == b"INFO":
            return replies.virtual_info(reply, self._instance.run_id, self._now_ms())
        if name == b"SCAN":
            return encoded(self._scans.page(self._instance.wire, words))
        self._instance.await_rewrite()
        return reply
