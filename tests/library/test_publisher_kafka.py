"""The publisher on Apache Kafka: idempotence, refusals that would spoil a producer, topics that set the time."""

import asyncio
import gc
import hashlib
import inspect
import os
import signal
import time
import uuid
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka.errors import KafkaTimeoutError, NodeNotReadyError
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from aiokafka.producer.producer import AIOKafkaProducer
from aiokafka.producer.sender import Sender

from deploy.kafka.server import KafkaServers
from deploy.kafka.topics import create_topic
from gene_statistics import EventPublisher, PublishError, PublishTimeoutError, publisher
from tests.end_to_end.publisher import read_topic
from tests.library.test_publisher import event_of


def test_the_library_is_the_one_that_was_read() -> None:
    """Whoever updates aiokafka reads aiokafka_private.py against it, and then writes the new digest here."""
    read = [AIOKafkaProducer.stop, Sender._sender_routine, Sender.close]
    read += [MessageAccumulator.fail_all, MessageAccumulator.close, MessageAccumulator.flush]
    read += [MessageAccumulator._pop_batch, MessageAccumulator.reenqueue, MessageBatch.failure]
    digest = hashlib.sha256("".join(map(inspect.getsource, read)).encode()).hexdigest()[:16]
    assert (aiokafka.__version__, digest) == ("0.14.0", "dede7d6e6e04d504")


async def topic_of(kafka: KafkaServers, **configs: str) -> str:
    name = f"events-{uuid.uuid4().hex}"
    await create_topic(kafka.bootstrap, name, 1, configs={key.replace("_", "."): each for key, each in configs.items()})
    return name


async def test_a_refusal_does_not_spoil_what_comes_after(kafka: KafkaServers) -> None:
    """The brokers refuse an idempotent producer's batches after one that failed, so another producer goes on."""
    topic = await topic_of(kafka, max_message_bytes="500")
    async with EventPublisher(kafka.bootstrap, topic=topic, idempotence=True, compression=None) as publishing:
        assert (await publishing.publish(event_of("small"))).offset == 0
        with pytest.raises(PublishError, match="MessageSizeTooLarge"):
            await publishing.publish(event_of("large", user_name="测" * 100))
        assert (await publishing.publish(event_of("small"))).offset == 1
        assert [each.offset for each in await publishing.publish_many([event_of("a"), event_of("b")])] == [2, 3]


async def test_a_topic_that_is_not_there(kafka: KafkaServers) -> None:
    """The error says what to do, and the publisher goes on once the topic is there."""
    topic = f"events-{uuid.uuid4().hex}"
    async with EventPublisher(kafka.bootstrap, topic=topic, deadline_seconds=1.0) as publishing:
        with pytest.raises(PublishError, match=f"{topic}: it does not exist"):
            await publishing.publish(event_of("job"))
        await create_topic(kafka.bootstrap, topic, 1)
        assert (await publishing.publish(event_of("job"))).offset == 0


async def test_a_topic_that_sets_the_time(kafka: KafkaServers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delivery has the broker's time, and not ours of long ago."""
    topic = await topic_of(kafka, message_timestamp_type="LogAppendTime")
    before_ms = time.time_ns() // 1_000_000
    monkeypatch.setattr(publisher, "time", SimpleNamespace(time_ns=lambda: 10**9))
    async with EventPublisher(kafka.bootstrap, topic=topic) as publishing:
        delivery = await publishing.publish(event_of("job"))
    assert delivery.timestamp_ms >= before_ms


async def test_a_broker_that_hangs(kafka: KafkaServers, caplog: pytest.LogCaptureFixture) -> None:
    """A publish ends at its deadline, and closing soon after it; what was acknowledged is there, and is there once."""
    caplog.set_level("CRITICAL", "aiokafka")  # records of its errors would keep what is to be collected
    caplog.handler.setLevel("ERROR")  # those of asyncio are looked for
    topic = await topic_of(kafka)
    node = kafka.nodes[0].child.process
    publishing = EventPublisher(kafka.bootstrap, topic=topic, idempotence=True, deadline_seconds=2.0)
    await publishing.start()
    assert (await publishing.publish(event_of("before"))).offset == 0
    node.send_signal(signal.SIGSTOP)
    # it may answer until all of its threads have stopped
    await asyncio.to_thread(os.waitid, os.P_PID, node.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        first = asyncio.create_task(publishing.publish(event_of("hangs")))
        for _ in range(20):
            await asyncio.sleep(0)  # until its batch is under way, so that the second one waits in a batch of its own
        hanging = first, publishing.publish_many([event_of("waits")])
        kinds = [type(result) for result in await asyncio.gather(*hanging, return_exceptions=True)]
        del first, hanging
        assert kinds == [PublishTimeoutError] * 2
        await asyncio.wait_for(publishing.close(), 10)
    finally:
        node.send_signal(signal.SIGCONT)
    gc.collect()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []
    await kafka.wait_ready()
    async with EventPublisher(kafka.bootstrap, topic=topic) as publishing:
        await publishing.publish(event_of("after"))
    keys = [record.key for record in await read_topic(kafka.bootstrap, topic, 1, 2)]
    assert (keys.count(b"p/before"), keys[-1]) == (1, b"p/after")


async def test_a_broker_that_is_away_for_a_while(kafka: KafkaServers) -> None:
    """It is tried until the deadline, and after a restart within it the event is there."""
    topic = await topic_of(kafka)
    publishing = EventPublisher(kafka.bootstrap, topic=topic, idempotence=False, deadline_seconds=3.0)
    async with publishing:
        await publishing.publish(event_of("before"))
        kafka.nodes[0].kill()
        before = asyncio.get_running_loop().time()
        results = await asyncio.gather(
            publishing.publish(event_of("a")), publishing.publish_many([event_of("b")]), return_exceptions=True
        )
        assert [type(result) for result in results] == [PublishTimeoutError] * 2
        assert asyncio.get_running_loop().time() >= before + 3.0
        kafka.nodes[0].start()
        await kafka.wait_ready()
        assert (await publishing.publish(event_of("after"))).partition == 0


async def test_what_brokers_may_take_later_is_sent_again(kafka: KafkaServers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that failed alone, and each delivery is of its own event."""
    send, failures = AIOKafkaProducer.send, [NodeNotReadyError(), KafkaTimeoutError()]

    async def fail_twice(producer: AIOKafkaProducer, *arguments: Any, **more: Any) -> Any:
        if arguments[2] == b"p/b" and failures:
            failed = asyncio.get_running_loop().create_future()
            failed.set_exception(failures.pop())
            return failed
        return await send(producer, *arguments, **more)

    monkeypatch.setattr(AIOKafkaProducer, "send", fail_twice)
    async with EventPublisher(kafka.bootstrap, topic=await topic_of(kafka)) as publishing:
        deliveries = await publishing.publish_many(map(event_of, "abc"))
    assert [each.offset for each in deliveries] == [0, 2, 1]
