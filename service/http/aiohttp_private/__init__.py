"""Overrides what is inside of aiohttp; no other package of the service does. Read against version 3.14.5.

`tests/unit/test_aiohttp_private.py` fails when the library changes what it relies on. What it does, and why:

- Answers that the library makes itself - to what is no HTTP, to an `Expect` that it does not know - become errors of
  the API (`handle_error`, `finish_response`). They are HTTP/1.1, whatever the client has sent.
- The parser gets one head of a request at a time, and none above a size: it bounds each line alone, keeps the lines of
  unfinished heads twice, and loses good requests that come with a bad one (`data_received`).
- An answer whose body is there as a whole is written at once, with the bytes that the library would write (`_send`).
- A plain request may be answered by a `Shortcut`, without the library's task. The task is not woken then, and all that
  asks whether a request is under way hears of it (`_shorten`).
- Versions other than 1.0 and 1.1 are refused: the library would answer `HTTP/2.0 200 OK`.
- A client that does not take its answer, or does not end the head of its request, loses the connection after a time:
  the library would wait for ever, or for as long as it keeps idle connections. So does who leaves a rest of an answer
  for which nobody waits, or of a connection that has been closed (`_await_taking`).
- A client that ends its side after a request gets its answer (`eof_received`).
- An answer that is sent piece by piece ends as soon as its client has gone, and has no time by which it must be sent
  (`finish_response`).
- A server that stops says so in each answer, and ends idle connections at a moment when nothing has come in on them.
  It answers all requests that have come, where the library would answer one of each connection (`is_busy`), and does
  not wait for clients that take nothing (`is_stalled`).
"""

from service.http.aiohttp_private.connection import Connection
from service.http.aiohttp_private.policy import ConnectionPolicy, Shortcut

__all__ = ["Connection", "ConnectionPolicy", "Shortcut"]
