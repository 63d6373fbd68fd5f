"""What is done to the inside of aiohttp."""

import hashlib
import inspect
from typing import Any

from aiohttp import web


def test_the_library_is_the_one_that_was_read() -> None:
    """Whoever updates aiohttp reads our aiohttp_private.py against it, and then writes the new digest here."""
    read: list[Any] = [
        web.RequestHandler.__init__,
        web.RequestHandler.handle_error,
        web.RequestHandler.finish_response,
        web.RequestHandler.start,
    ]
    digest = hashlib.sha256("".join(inspect.getsource(each) for each in read).encode()).hexdigest()[:16]
    assert digest == "7aea1b984aa2c15c"
