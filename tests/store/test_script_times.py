"""What a writer says of its script calls: how many were sent together, and how long the replies took."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from service.store.layout.heads import Claim
from service.store.redis.client import create_writer_client
from service.store.redis.views import Client
from service.store.write.writer import StoreWriter
from tests.store.support import Event, Store, event

EVENTS: list[Event] = [event(project, project_id=f"project-{project}") for project in range(5)]


class Heard:
    """Takes down what is said of each script."""

    def __init__(self) -> None:
        self.calls: dict[str, list[int]] = {"apply": [], "claim": []}

    def writer(self, client: Client) -> StoreWriter:
        """A writer that says it here."""
        return StoreWriter(client, heard={"apply": self._apply, "claim": self._claim})

    def _apply(self, calls: int, seconds: float) -> None:
        assert 0 < seconds < 60
        self.calls["apply"].append(calls)

    def _claim(self, calls: int, seconds: float) -> None:
        assert 0 < seconds < 60
        self.calls["claim"].append(calls)


@pytest.fixture
async def cluster_client(any_cluster_url: str) -> AsyncIterator[Client]:
    """A writer's client of a cluster."""
    client = create_writer_client(any_cluster_url, cluster=True)
    yield client
    await client.aclose()


async def test_calls_of_one_server_are_timed_together(client: Redis) -> None:
    """They are sent together, and the last reply ends them; a script that had to be loaded is called twice."""
    heard, store = Heard(), Store(client)
    batches = store.batches(EVENTS)
    writer = heard.writer(client)
    await writer.apply(1, batches)
    assert heard.calls["apply"][-1] == len(batches)
    assert len(heard.calls["apply"]) <= 2
    await writer.claim(1, Claim(1, b"\1"), {0: bytes(8), 1: bytes(8)}, 0)
    assert heard.calls["claim"][-1] == 1
    await writer.apply(1, [])
    assert heard.calls["apply"][-1] == len(batches)


async def test_each_call_on_a_cluster_is_timed(cluster_client: Client) -> None:
    """Each goes to the node of its stripe by itself."""
    heard, store = Heard(), Store(cluster_client)
    batches = store.batches(EVENTS)
    await heard.writer(cluster_client).apply(1, batches)
    assert set(heard.calls["apply"]) == {1}
    assert len(heard.calls["apply"]) >= len(batches)


async def test_a_call_that_fails_is_timed(client: Redis) -> None:
    """A refusal took its time, too."""
    heard = Heard()
    [first] = Store(client).batches([event(1)])
    writer = heard.writer(client)
    await writer.apply(1, [first])
    before = len(heard.calls["apply"])
    with pytest.raises(Exception, match="other offsets"):
        await writer.apply(1, [first])
    assert heard.calls["apply"][before:] == [1]
