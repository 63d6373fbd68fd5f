"""Takes server-sent events out of the bytes of a response."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import NamedTuple

from gene_statistics.errors import InvalidAnswerError


class ServerSentEvent(NamedTuple):
    """One event of a stream; `last_id` is the last id that the stream has given, with this event or before."""

    name: str
    data: str
    last_id: str


async def read_events(chunks: AsyncIterable[bytes], most_bytes: int) -> AsyncIterator[ServerSentEvent]:
    """Yields the events of a stream, as its bytes come; comments are ignored.

    Raises InvalidAnswerError for what is not UTF-8, and for an event of more than `most_bytes`.
    """
    rest, size = b"", 0
    name, data, last_id = "", list[str](), ""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        size += len(chunk)
        if size > most_bytes:
            raise InvalidAnswerError(f"an event of more than {most_bytes} bytes")
        for line in map(_decode, lines):
            if not line:
                if data:
                    yield ServerSentEvent(name or "message", "\n".join(data), last_id)
                name, data, size = "", [], len(rest)
                continue
            field, _, text = line.partition(":")
            match field:
                case "event":
                    name = text.removeprefix(" ")
                case "data":
                    data.append(text.removeprefix(" "))
                case "id":
                    last_id = text.removeprefix(" ")


def _decode(line: bytes) -> str:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise InvalidAnswerError("a stream that is not UTF-8") from None
