"""Answers a body that can be compared with what the client has: with an `ETag`, as 304, or compressed with gzip."""

import asyncio
import re
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import partial

from aiohttp import hdrs, web
from aiohttp.payload import AsyncIterablePayload
from multidict import istr

from service.http.asking import Asking
from service.http.preferences import accepts_gzip
from service.http.whole import Whole
from service.runtime.tasks import SharedTask

COMPRESSED_FROM_BYTES = 16_384
_MAX_CACHED_BYTES = 16 * 1024 * 1024
_GZIP_BITS = zlib.MAX_WBITS | 16  # a gzip header and trailer in the place of zlib's
_TAG = re.compile(r'(?:^|,)[ \t]*(?:W/)?"([^"]*)"[ \t]*(?=,|$)')  # each in a list, of which parts may be empty
_ETAG, _ENCODING = istr("ETag"), istr(hdrs.CONTENT_ENCODING)


class Gzip:
    """Compresses bodies in threads, each once for all who ask meanwhile; remembers those that were asked for last."""

    def __init__(self, max_bytes: int = _MAX_CACHED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._compressed: OrderedDict[str, bytes] = OrderedDict()
        self._compressing: dict[str, SharedTask[bytes]] = {}

    async def of(self, body: bytes, digest: str) -> bytes:
        """Returns the body compressed; `digest` is that of the body."""
        known = self._compressed.get(digest)
        if known is not None:
            self._compressed.move_to_end(digest)
            return known
        work = self._compressing.get(digest)
        if work is None:
            work = self._compressing[digest] = SharedTask(partial(self._compress, body, digest))
        return await work.join()

    async def _compress(self, body: bytes, digest: str) -> bytes:
        try:
            # The level costs 4 ms for 300 KB, a third of the usual one's time, and makes a sixth of it.
            compressed = await asyncio.to_thread(zlib.compress, body, zlib.Z_BEST_SPEED, _GZIP_BITS)
        finally:
            del self._compressing[digest]
        self._compressed[digest] = compressed
        self._bytes += len(compressed)
        while self._bytes > self._max_bytes:
            self._bytes -= len(self._compressed.popitem(last=False)[1])
        return compressed


GZIP = web.AppKey("gzip", Gzip)


async def represent(
    request: web.Request, body: bytes, digest: str, headers: Mapping[str, str], compressed: bytes | None = None
) -> Whole:
    """Returns the answer with this body and these headers: 304 if the client has it, gzip if it is large and may be.

    The tag is weak, since it stands for the body in either encoding. Handlers of GET await it; they name what the
    choice depends on (`Vary`: `Accept-Encoding`) in the headers. `compressed` is the body with gzip, where it stays the
    same: any size is worth it then.
    """
    return await represent_by(request.app[GZIP], request, body, digest, headers, compressed)


async def represent_by(  # noqa: PLR0913, PLR0917 - what `represent` is given, and its application
    gzip: Gzip,
    request: Asking,
    body: bytes,
    digest: str,
    headers: Mapping[str, str],
    compressed: bytes | None = None,
) -> Whole:
    """Returns what `represent` returns, to a request that has no application."""
    is_worth_it = compressed is not None or len(body) >= COMPRESSED_FROM_BYTES
    if not is_worth_it or not _accepts_gzip(request) or client_has(request, digest):
        return as_it_is(request, body, digest, headers)
    response = Whole(compressed or await gzip.of(body, digest), headers)
    response.headers[_ENCODING] = "gzip"
    response.headers[_ETAG] = f'W/"{digest}"'
    return response


def as_it_is(request: Asking, body: bytes, digest: str, headers: Mapping[str, str]) -> Whole:
    """Returns the answer with this body and these headers, or 304 if the client has it. It is never compressed."""
    if client_has(request, digest):
        return not_modified(digest, headers)
    response = Whole(body, headers)
    response.headers[_ETAG] = f'W/"{digest}"'
    return response


def represent_pieces(
    request: web.Request, pieces: Iterable[bytes], digest: str, headers: Mapping[str, str]
) -> web.Response:
    """Returns the answer whose body is made and sent piece by piece, compressed for those who accept gzip.

    `represent` is for bodies that are there as a whole. The event loop does other things between two pieces.
    """
    is_compressed = _accepts_gzip(request)
    sent = _one_by_one(_compressed(pieces) if is_compressed else pieces)
    response = web.Response(body=AsyncIterablePayload(sent), headers=headers)
    if is_compressed:
        response.headers[_ENCODING] = "gzip"
    response.headers[_ETAG] = f'W/"{digest}"'
    return response


def not_modified(digest: str, headers: Mapping[str, str]) -> Whole:
    """Returns the answer to whoever has the body already."""
    response = Whole(None, headers, 304)
    del response.headers[hdrs.CONTENT_TYPE]
    response.headers[_ETAG] = f'W/"{digest}"'
    return response


async def _one_by_one(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(zlib.Z_BEST_SPEED, wbits=_GZIP_BITS)
    yield from map(compressor.compress, pieces)
    yield compressor.flush()


def _accepts_gzip(request: Asking) -> bool:
    return accepts_gzip(",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ())))


def client_has(request: Asking, digest: str) -> bool:
    """Tells whether one of the tags in `If-None-Match` is that of the body; `*` is any (RFC 9110, 13.1.2).

    The library reads the first line alone, and takes the tag `"*"` for any.
    """
    if hdrs.IF_NONE_MATCH not in request.headers:
        return False
    given = ",".join(request.headers.getall(hdrs.IF_NONE_MATCH))
    return given.strip() == "*" or digest in _TAG.findall(given)
