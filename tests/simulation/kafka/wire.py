"""Takes Kafka's frames apart and answers them: one connection of a client to a node.

This is how APIs are plugged in, those of groups (`groups.py`) as well as all others. An Api says which versions of one
request are known, as aiokafka's classes of requests, and which handler answers them:

    Api((HeartbeatRequest_v0, HeartbeatRequest_v1), handler)

- `handler(node, request)` gets the Node that was asked and the decoded request (an instance of one of the classes; it
  also has the header's `client_id`). It returns the response, an instance of `request.RESPONSE_TYPE`, or None where no
  response is sent, or an awaitable of either where the response has to wait. An awaitable is cancelled when its
  connection is lost.
- `coordinators.py` answers FindCoordinator. Whether a node coordinates a group says
  `coordinators.coordinates(node, coordinators.GROUPS, group_id)`.
- `model.register(apis)` makes them known. ApiVersions advertises each with its oldest and newest version.
- As with Kafka a connection has one request under way: the next is looked at when its response was sent.
- A handler that sets a timer or awaits something asks `node.is_running` afterwards, or uses `node.call_later`: a node
  that hangs goes on when it wakes.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from aiokafka.protocol.types import TaggedFields

from tests.simulation.kafka.codes import UNSUPPORTED_VERSION

if TYPE_CHECKING:
    from tests.simulation.kafka.node import Node

Handler = Callable[["Node", Any], Any]
Decode = Callable[[bytes, int], Any]
"""Decodes the body of a request that begins at an index of its frame."""

_HEADER = struct.Struct(">hhih")
_LENGTH = struct.Struct(">i")
_REPLY = struct.Struct(">ii")
_API_VERSIONS = 18


@dataclass(frozen=True, slots=True)
class Api:
    """Describes one request: its versions, oldest first, and what answers it.

    With `decode` the requests are decoded by that, and the response is bytes. With `is_of_image` the response depends
    on nothing but the request and the node's image: while the node has that image, it is made once.
    """

    requests: tuple[Any, ...]
    handler: Handler
    decode: Decode | None = None
    is_of_image: bool = False

    @property
    def key(self) -> int:
        """Returns the number of the API."""
        return int(self.requests[0].API_KEY)


class Connection(asyncio.Protocol):
    """Serves one connection to a node, one request after the other."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._under_way: asyncio.Future[Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Joins the connections of the node."""
        assert isinstance(transport, asyncio.Transport)
        if not self._node.is_up:
            transport.abort()
            return
        self._transport = transport
        self._node.connections[self] = None

    def connection_lost(self, _: Exception | None) -> None:
        """Forgets what was asked and not answered."""
        self._transport = None
        self._node.connections.pop(self, None)
        if self._under_way is not None:
            self._under_way.cancel()

    def data_received(self, data: bytes) -> None:
        """Serves the requests that are complete."""
        self._unread = self._unread + data if self._unread else data
        self.go_on()

    def abort(self) -> None:
        """Loses the connection, with all that was not sent."""
        if self._transport is not None:
            self._transport.abort()

    def go_on(self) -> None:
        """Serves requests until one has to wait, or none is left; does nothing while the node hangs."""
        while self._under_way is None and self._transport is not None and self._node.is_running:
            unread = self._unread
            if len(unread) < 4:
                return
            end = 4 + _LENGTH.unpack_from(unread)[0]
            if len(unread) < end:
                return
            self._unread = unread[end:]
            self._serve(unread[:end])

    def _serve(self, frame: bytes) -> None:
        key, version, correlation_id, length = _HEADER.unpack_from(frame, 4)
        entry = self._node.model.requests.get((key, version))
        if entry is None:
            self._refuse(key, correlation_id)
            return
        struct_class, api = entry
        at = 14 + max(length, 0)
        if api.is_of_image:
            answers, asked = self._node.answers, (frame[4:8], frame[at:])
            if asked not in answers:
                answers[asked] = api.handler(self._node, _decode(struct_class, frame, at)).encode()
            self._send(correlation_id, struct_class, answers[asked])
            return
        request = api.decode(frame, at) if api.decode is not None else _decode(struct_class, frame, at)
        response = api.handler(self._node, request)
        if isinstance(response, Awaitable):
            waiting = self._under_way = asyncio.ensure_future(response)
            waiting.add_done_callback(lambda done: self._answered(correlation_id, struct_class, done))
        elif response is not None:
            self._send(correlation_id, struct_class, response)

    def _refuse(self, key: int, correlation_id: int) -> None:
        if key == _API_VERSIONS:  # a client that asks by a newer version is told the versions by the oldest one
            self._write(correlation_id, struct.pack(">hi", UNSUPPORTED_VERSION, 0))
        else:
            self.abort()

    def _answered(self, correlation_id: int, struct_class: Any, done: "asyncio.Future[Any]") -> None:
        if done.cancelled() or self._transport is None:
            return
        response = done.result()
        if not self._node.is_running:
            self._node.when_running(lambda: self._answered(correlation_id, struct_class, done))
            return
        self._under_way = None
        if response is not None:
            self._send(correlation_id, struct_class, response)
        self.go_on()

    def _send(self, correlation_id: int, struct_class: Any, response: Any) -> None:
        body = response if isinstance(response, bytes) else response.encode()
        # the header of a response to ApiVersions has no tags, whatever its version
        self._write(correlation_id, b"\0" + body if struct_class.FLEXIBLE_VERSION else body)

    def _write(self, correlation_id: int, body: bytes) -> None:
        if self._transport is not None:
            self._transport.write(_REPLY.pack(4 + len(body), correlation_id) + body)


def _decode(struct_class: Any, frame: bytes, at: int) -> Any:
    body = BytesIO(frame)
    body.seek(at)
    if struct_class.FLEXIBLE_VERSION:
        TaggedFields.decode(body)
    request = struct_class.decode(body)
    request.client_id = frame[14:at].decode()
    return request
