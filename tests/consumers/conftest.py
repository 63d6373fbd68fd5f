"""A topic of a test's own, and the settings of a consumer that reads it."""

import uuid
from collections.abc import Awaitable, Callable, Iterator

import pytest

from deploy.kafka.server import KafkaServers
from deploy.kafka.topics import create_topic
from service.runtime.settings import ConsumerSettings
from tests.blocking import no_blocking_calls
from tests.conftest import MakeTopic
from tests.consumers.support import settings_of

MakeSettings = Callable[..., ConsumerSettings]
MakeSettingsOn = Callable[..., Awaitable[ConsumerSettings]]


@pytest.fixture
async def topic(make_topic: MakeTopic) -> str:
    """A topic of one partition."""
    return await make_topic(partitions=1)


@pytest.fixture
def make_settings(kafka_bootstrap: str, topic: str) -> MakeSettings:
    """Settings of a consumer: `make_settings(redis_url, **changes)`."""

    def make(redis_url: str, **changes: str) -> ConsumerSettings:
        return settings_of(kafka_bootstrap, topic, redis_url, **changes)

    return make


@pytest.fixture
def make_settings_on(redis_flushed: str) -> MakeSettingsOn:
    """Creates a topic on Apache Kafka, and gives the settings of its consumer: `await make(kafka, partitions)`."""

    async def make(kafka: KafkaServers, partitions: int) -> ConsumerSettings:
        topic = f"topic-{uuid.uuid4().hex}"
        await create_topic(kafka.bootstrap, topic, partitions)
        return settings_of(kafka.bootstrap, topic, redis_flushed)

    return make


@pytest.fixture(scope="package", autouse=True)
def event_loop_is_watched() -> Iterator[None]:
    """Fails a test in which a consumer blocks the loop."""
    with no_blocking_calls():
        yield
