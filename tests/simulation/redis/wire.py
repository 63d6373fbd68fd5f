"""Asks a real Redis over its unix socket and blocks until it has replied, so that no wall clock orders anything."""

import socket
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import hiredis

_PATIENCE_SECONDS = 30  # far beyond any reply; what takes longer is a fault of the simulation
_RECEIVED_BYTES = 65_536
_PAUSE_SECONDS = 0.0003
_ATTEMPTS = round(_PATIENCE_SECONDS / _PAUSE_SECONDS)
_PING = b"*1\r\n$4\r\nPING\r\n"


class WireEndedError(Exception):
    """Says that Redis has ended the connection: it was killed, or has closed it."""


class Wire:
    """A blocking connection to the Redis that listens on a unix socket. Raises OSError if none does."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # the kernel's own limit of time: Python's would cost a poll() before each call
            limit = struct.pack("ll", _PATIENCE_SECONDS, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._reader = hiredis.Reader()

    def exchange(self, request: bytes, count: int = 1) -> bytes:
        """Sends commands, as bytes, and returns the bytes of their `count` replies. Raises WireEndedError."""
        gets, feed = self._reader.gets, self._reader.feed
        received = b""
        try:
            self._socket.sendall(request)
            while True:
                data = self._socket.recv(_RECEIVED_BYTES)
                if not data:
                    raise WireEndedError
                received = received + data if received else data
                feed(data)
                while gets() is not False:  # None is a reply, too
                    count -= 1
                if not count:
                    return received
        except ConnectionError as error:
            raise WireEndedError from error

    def call(self, *words: str | bytes | int) -> Any:
        """Runs one command and returns its reply, text as bytes. Raises WireEndedError, and an error as ReplyError."""
        packed = hiredis.pack_command(words)  # type: ignore[arg-type] # it takes any number of words
        reply = parsed(self.exchange(packed))
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()


def parsed(replies: bytes) -> Any:
    """Returns the first of these replies; an error is returned as an exception."""
    reader = hiredis.Reader()
    reader.feed(replies)
    return reader.gets()


def encoded(reply: Any) -> bytes:
    """Returns the bytes of a reply: a list, bytes, a number, None or an error."""
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, Iterable):
        parts = [encoded(part) for part in reply]
        return b"*%d\r\n%b" % (len(parts), b"".join(parts))
    return b"$-1\r\n" if reply is None else b"-%b\r\n" % str(reply).encode()


def connected(path: Path, check: Callable[[], None]) -> Wire:
    """Returns a connection to a Redis as soon as it answers. Calls `check` while it waits; raises TimeoutError."""
    for _ in range(_ATTEMPTS):  # no clock tells when: it may be a virtual one
        wire = _greeted(path)
        if wire is not None:
            return wire
        check()
        time.sleep(_PAUSE_SECONDS)
    raise TimeoutError(f"Redis at {path} does not answer")


def _greeted(path: Path) -> Wire | None:
    """Returns a connection, or None if Redis is starting, or loading its file."""
    try:
        wire = Wire(path)
    except OSError:
        return None
    try:
        if wire.exchange(_PING) == b"+PONG\r\n":
            return wire
    except WireEndedError:
        pass
    wire.close()
    return None
