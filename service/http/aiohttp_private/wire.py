"""What the library would make of answers and of refused inputs: the bytes that are sent, and why there is none."""

from typing import Any

from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.http_writer import _serialize_headers
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo
from aiohttp.web_response import REASON_PHRASES

from service.http.aiohttp_private.policy import MAX_TARGET_BYTES
from service.http.errors import HEAD_TOO_LONG, HEADER_TOO_LONG, MALFORMED, TARGET_TOO_LONG, TOO_MANY_HEADERS, Message
from service.http.heads import HeadTooLongError
from service.http.whole import Whole


def bytes_of(request: web.BaseRequest | RawRequestMessage, answer: Whole) -> bytes:
    """Returns an answer as it is sent: what the library's `prepare` and `write_eof` make of a `web.Response`."""
    headers, body, version = answer.headers, answer.body, request.version
    if body is not None:
        headers[hdrs.CONTENT_LENGTH] = str(len(body))
    headers[hdrs.DATE] = rfc822_formatted_time()
    if answer.keep_alive:
        if version == HttpVersion10:
            headers[hdrs.CONNECTION] = "keep-alive"
    elif version == HttpVersion11:
        headers[hdrs.CONNECTION] = "close"
    first = f"HTTP/{version.major}.{version.minor} {answer.status} {REASON_PHRASES[answer.status]}"
    head = _serialize_headers(first, headers)
    return head if body is None or request.method == hdrs.METH_HEAD else head + body


def refusal_of(error: Exception) -> tuple[_ErrInfo, Any]:
    """Returns what the library queues for an input that it refuses."""
    return _ErrInfo(status=400, exc=error, message=""), EMPTY_PAYLOAD


def why_refused(error: BaseException | None) -> Message:
    """Returns what is wrong with an input that is refused: what is only too long is told so."""
    match error:
        case HeadTooLongError():
            return HEAD_TOO_LONG
        case LineTooLong(args=(_, int(limit), *_)):
            return TARGET_TOO_LONG if limit == MAX_TARGET_BYTES else HEADER_TOO_LONG
        case BadHttpMessage(message="Too many headers received"):
            return TOO_MANY_HEADERS
        case _:
            return MALFORMED
