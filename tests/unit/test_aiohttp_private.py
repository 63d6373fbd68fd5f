"""What is done to the inside of aiohttp."""

import hashlib
import inspect
from typing import Any

from aiohttp import base_protocol, helpers, http_writer, web, web_protocol, web_server


def test_the_library_is_the_one_that_was_read() -> None:
    """Whoever updates aiohttp reads our package aiohttp_private against it, and then writes the new digest here."""
    read: list[Any] = [web_protocol, base_protocol, web_server.Server.shutdown]
    read += [web.StreamResponse._prepare_headers, web.Response._start, web.Response.write_eof]
    read += [http_writer._py_serialize_headers, helpers.rfc822_formatted_time]
    digest = hashlib.sha256("".join(inspect.getsource(each) for each in read).encode()).hexdigest()[:16]
    assert digest == "ef23d008e7a42c58"
