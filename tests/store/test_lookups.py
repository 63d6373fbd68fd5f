"""A name that the resolver does not answer for: it holds up nobody who does not need it."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import aclosing
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.store.read.client import create_reader_client
from service.store.redis.outages import is_outage

HANGS = "hangs.test"
QUESTIONS = 40  # more than asyncio has threads for what blocks


class Resolver:
    """In the place of the system's: one name has no answer until `released`."""

    def __init__(self) -> None:
        self.released = Event()
        self.asked = 0
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, *args: Any, **options: Any) -> Any:
        """Blocks the thread, as the system's resolver does."""
        if host == HANGS:
            self.asked += 1
            self.released.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._real(host, *args, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """It, until the test ends."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.released.set()


@pytest.mark.parametrize(
    ("url", "is_cluster"),
    [
        (f"redis://{HANGS}/0", False),
        (f"redis://{HANGS}/0", True),
        (f"redis+sentinel://{HANGS}:26379/stats/0", False),
    ],
    ids=["single", "cluster", "sentinel"],
)
async def test_a_name_without_an_answer_takes_one_thread(
    resolver: Resolver, redis_flushed: str, url: str, is_cluster: bool
) -> None:
    """However many connections want it; another name is looked up meanwhile. Once there is an answer it is heard."""
    port = urlsplit(redis_flushed).port
    async with (
        aclosing(create_reader_client(url, is_cluster, limit_seconds=0.2)) as hanging,
        aclosing(create_reader_client(f"redis://localhost:{port}/0", False, limit_seconds=10)) as other,
    ):
        failed = await asyncio.gather(*[hanging.get("{s00}") for _ in range(QUESTIONS)], return_exceptions=True)
        assert all(isinstance(error, BaseException) and is_outage(error) for error in failed)
        assert await other.get("{s00}") is None
        assert resolver.asked == 1
        resolver.released.set()
        with pytest.raises(Exception, match="Temporary failure in name resolution"):
            await hanging.get("{s00}")
