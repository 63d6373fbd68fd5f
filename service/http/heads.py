"""Cuts what a client sends into heads of requests before the parser sees it, and bounds the size of a head.

A head is the request line and all header lines, up to the blank line. The parser gets one head at a time, since it
forgets the good requests of what it is given when a bad one follows them.
"""

import re

MAX_HEAD_BYTES = 32_768
_UNSUPPORTED_METHOD = b"TRACE"  # no resource has it; it stands for all that the parser does not know, and for CONNECT
_BLANK_LINE = b"\r\n\r\n"
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_KNOWN_METHODS = frozenset(
    {b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"},
)
_ANSWER_HEADERS = re.compile(rb"^(x-language|accept-language|x-request-id):[ \t]*([ -~]{0,256})", re.I | re.M)


class HeadTooLongError(Exception):
    """A head is longer than MAX_HEAD_BYTES, whether it has ended or not."""


class HeadCutter:
    """Cuts the bytes of one connection, as they come."""

    __slots__ = ("_bytes", "_end")

    def __init__(self) -> None:
        self._bytes = 0
        self._end = b""

    @property
    def is_within(self) -> bool:
        """Returns whether a head has begun and not ended."""
        return self._bytes > 0

    def cut(self, data: bytes) -> tuple[bytes, bytes]:
        """Returns the next piece, which has the end of one head at most, and what follows it.

        The piece is empty where more must come before anything can be said. A method that the parser does not know
        becomes one that no resource has, so that the request is answered as any other with a wrong method. So does
        CONNECT, after whose head the parser would see a tunnel, and whose path it would take for a host. Raises
        HeadTooLongError.
        """
        if not self._bytes and not data.startswith(b"GET "):
            data = data.lstrip(b"\r\n")
            method = _METHOD.match(data)
            if method is not None and method.end() == len(data):
                return b"", data
            if method is not None and method[0] not in _KNOWN_METHODS and data[method.end()] == ord(" "):
                data = _UNSUPPORTED_METHOD + data[method.end() :]
        joined = self._end + data
        found = joined.find(_BLANK_LINE)
        length = len(data) if found < 0 else found + len(_BLANK_LINE) - len(self._end)
        self._bytes += length
        if self._bytes > MAX_HEAD_BYTES:
            raise HeadTooLongError
        if found < 0:
            self._end = joined[1 - len(_BLANK_LINE) :]
        else:
            self._bytes, self._end = 0, b""
        return data[:length], data[length:]


def answer_headers(head: bytes) -> dict[str, str]:
    """Returns those headers of a head, or of a part of one, that say how its answer is to be: language and id."""
    lines = reversed(_ANSWER_HEADERS.findall(head))  # the first line of a name is the one that counts
    return {name.decode().lower(): value.decode() for name, value in lines}
