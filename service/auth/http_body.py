"""Reads bodies of answers that come from elsewhere, which may be of any size."""

import aiohttp


async def read_body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes | None:
    """Returns the body of an answer, or None as soon as it turns out to be larger. Raises aiohttp.ClientError."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            return None
    return bytes(body)
