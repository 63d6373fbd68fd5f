"""An answer whose body is there as a whole. `Connection` sends it by one write, past the library's way of an answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from aiohttp import web

if TYPE_CHECKING:
    from multidict import CIMultiDict


class Whole(web.StreamResponse):
    """An answer with this body, or none. What the library makes for an answer costs more than to send it.

    Its headers are a plain dict. So one header must be written in one way everywhere.
    """

    def __init__(self, body: bytes | None, headers: Mapping[str, str], status: int = 200) -> None:
        # without the library's, which makes what is not needed here
        self.body = body
        self._plain_headers = dict(headers)
        self._number = status
        self._goes_on: bool | None = None

    @property
    def status(self) -> int:
        """Returns the status."""
        return self._number

    @property
    def headers(self) -> "CIMultiDict[str]":
        """Returns the headers, which may be changed until the answer is sent."""
        return cast("CIMultiDict[str]", self._plain_headers)

    @property
    def keep_alive(self) -> bool | None:
        """Returns whether the connection stays after the answer; None: as the request says."""
        return self._goes_on

    @keep_alive.setter
    def keep_alive(self, goes_on: bool) -> None:
        self._goes_on = goes_on

    def force_close(self) -> None:
        """Ends the connection after the answer."""
        self._goes_on = False

    @classmethod
    def of(cls, response: web.Response) -> "Whole":
        """Returns an answer of the library, whose body is bytes, as this."""
        assert isinstance(response.body, bytes)  # noqa: S101 - it is not used for others
        return cls(response.body, response.headers, response.status)

    def as_response(self) -> web.Response:
        """Returns the answer as the library has it."""
        response = web.Response(body=self.body, headers=self._plain_headers, status=self._number)
        if self._goes_on is False:
            response.force_close()
        return response
