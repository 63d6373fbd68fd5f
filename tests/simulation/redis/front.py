"""The side of a connection that a client sees: what comes is split into commands, and runs on a real Redis in turn.

A command arrives after a while of virtual time, is run by the real Redis at once, and its reply comes after another
while. Commands of one connection stay in order; those of different ones run in the order in which they arrive. So the
order in which Redis sees the commands of all clients is a function of the seed, and of what the clients send.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import hiredis

from tests.simulation.redis.session import Command, Session, are_together
from tests.simulation.redis.wire import WireEndedError

if TYPE_CHECKING:
    from tests.simulation.redis.instance import Instance
    from tests.simulation.redis.server import SimulatedRedis

_SPLIT_SHARE = 0.25  # of the pipelines that arrive in two pieces


class Front(asyncio.Protocol):
    """One connection of a client to a simulated server."""

    def __init__(self, server: "SimulatedRedis") -> None:
        self._server = server
        self._instance: Instance | None = None  # None once the connection has ended
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._requests = hiredis.Reader()
        self._session: Session | None = None  # from the first command on
        self._coming: deque[list[Command] | None] = deque()  # on their way to Redis; None ends the connection
        self._going: deque[bytes | None] = deque()  # on their way to the client; None ends the connection
        self._is_alone = False  # the client is gone
        self._is_mute = False  # nothing passes any more, and neither side knows

    # -- the client's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a connection in, or refuses it while there is no Redis. The loop calls it."""
        self._transport = cast("asyncio.Transport", transport)
        self._instance = self._server.instance
        if self._instance is None:
            self._transport.abort()
        else:
            self._instance.fronts[self] = None

    def data_received(self, data: bytes) -> None:
        """Sends the commands that are complete on their way. The loop calls it."""
        if self._instance is None or self._is_mute:
            return
        commands = self._split(data)
        if not commands:
            return
        done = self._server.losses.take_pipeline(len(commands))
        if done is not None:
            if done:
                self._send(commands[:done])
            self._send(None)
        elif len(commands) > 1 and self._server.rnd.random() < _SPLIT_SHARE:
            at = self._server.rnd.randrange(1, len(commands))
            self._send(commands[:at])
            self._send(commands[at:])
        else:
            self._send(commands)

    def connection_lost(self, _: Exception | None) -> None:
        """Lets what the client has sent before it went still be run. The loop calls it."""
        self._is_alone = True
        self._going.clear()
        if self._is_mute or not self._coming:
            self.detach()

    def _split(self, data: bytes) -> list[Command]:
        requests = self._requests
        was_empty = not requests.has_data()
        requests.feed(data)
        words = requests.gets()
        if words is False:
            return []
        if was_empty and not requests.has_data():  # by far the most frequent case
            return [(words, data)]
        commands = []
        while words is not False:
            commands.append((words, hiredis.pack_command(tuple(words))))
            words = requests.gets()
        return commands

    def _send(self, commands: list[Command] | None) -> None:
        self._coming.append(commands)
        self._loop.call_later(self._server.delay_seconds(), self.arrive)

    # -- the side of Redis

    def arrive(self) -> None:
        """Runs what has come next, unless Redis is frozen."""
        instance = self._instance
        if instance is None:
            return
        if instance.is_frozen:
            instance.waiting.append(self)
        else:
            self._run_next()

    def _run_next(self) -> None:
        if not self._coming:  # it was lost meanwhile
            return
        commands = self._coming.popleft()
        if commands is None:
            self.end(loses=self._server.rnd.random() < 0.5)
            return
        try:
            self._run(commands)
        except WireEndedError:
            self.end(loses=False)
        if self._is_alone and not self._coming:
            self.detach()

    def _run(self, commands: list[Command]) -> None:
        server, instance = self._server, self._instance
        assert instance is not None
        if self._session is None:
            self._session = Session(instance, server.now_ms, server.scans)
        if server.is_plain(instance) and are_together(commands):
            request = commands[0][1] if len(commands) == 1 else b"".join([data for _, data in commands])
            self._reply(request, self._session.run_together(request, commands), len(commands))
            return
        for number, command in enumerate(commands):
            if server.before_command is not None:
                server.before_command(command[0])
            if self._instance is None or self._is_mute:  # that has ended the connection
                return
            if instance.is_frozen:
                self._coming.appendleft(commands[number:])
                instance.waiting.append(self)
                return
            if server.losses.take_command():
                self._lose()
                return
            reply = self._session.run(command)
            if server.losses.take_reply():
                server.note(command[1], reply, 1)
                self._lose_replies(self._session, commands[number + 1 :])
                return
            self._reply(command[1], reply, 1)

    def _lose_replies(self, session: Session, others: list[Command]) -> None:
        """Loses the connection; commands that have come with the one whose reply is lost are done, or are not."""
        if self._server.rnd.random() < 0.5:
            for command in others:
                self._server.note(command[1], session.run(command), 1)
        self._lose()

    def _reply(self, request: bytes, reply: bytes, count: int) -> None:
        self._server.note(request, reply, count)
        if not self._is_alone:
            self._going.append(reply)
            self._loop.call_later(self._server.reply_delay_seconds(), self._deliver)

    def _deliver(self) -> None:
        if not self._going:
            return
        reply = self._going.popleft()
        if reply is None:
            self._transport.close()
        else:
            self._transport.write(reply)

    # -- how it ends

    def _lose(self) -> None:
        if self._server.losses.hangs:
            self.mute()
        else:
            self.end(loses=True)

    def mute(self) -> None:
        """Passes nothing on any more, without an end that either side would see."""
        self._is_mute = True
        self._coming.clear()
        self._going.clear()

    def end(self, *, loses: bool) -> None:
        """Ends the connection from the server's side: replies under way are lost, or come before the end.

        Where nothing is under way the client sees an end and no reset, as after the kill of a real process.
        """
        if self._instance is None:
            return
        is_idle = not (self._coming or self._going)
        self._coming.clear()
        self.detach()
        if self._is_mute:  # the client does not hear of the end either
            return
        if is_idle:
            self._transport.close()
        elif loses or not self._going:
            self._going.clear()
            self._transport.abort()
        else:
            self._going.append(None)
            self._loop.call_later(self._server.reply_delay_seconds(), self._deliver)

    def detach(self) -> None:
        """Has nothing to do with Redis any more."""
        if self._instance is not None:
            del self._instance.fronts[self]
            self._instance = None
        if self._session is not None:
            self._session.close()
            self._session = None
