"""Offsets by partition: who does not answer, or has no leader, keeps nobody waiting."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, LeaderNotAvailableError

from consumers.kafka.metadata import TopicState
from consumers.kafka.topic_offsets import ask_each

TPS = [TopicPartition("events", partition) for partition in range(5)]
TOPIC = TopicState("", 5, with_leader=(0, 1, 2, 4))


async def test_each_partition_has_its_own_answer_or_error() -> None:
    """One has no leader and is not asked about, one fails, one never answers: the others are there."""
    asked: list[TopicPartition] = []

    async def ask(tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        [tp] = tps
        asked.append(tp)
        if tp.partition == 1:
            raise KafkaConnectionError("gone")
        if tp.partition == 2:
            await asyncio.Event().wait()
        return {tp: tp.partition + 10}

    answers = await ask_each(ask, TPS, TOPIC, grace_seconds=0.05)
    assert answers.offsets == {TPS[0]: 10, TPS[4]: 14}
    assert {tp.partition: type(error) for tp, error in answers.errors.items()} == {
        1: KafkaConnectionError,
        2: KafkaTimeoutError,
        3: LeaderNotAvailableError,
    }
    assert TPS[3] not in asked


async def test_of_no_partitions_nothing_is_asked() -> None:
    """Nor where none has a leader."""

    async def ask(tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        raise AssertionError(tps)

    assert await ask_each(ask, [], TOPIC) == await ask_each(ask, [], TopicState("", 0))
    assert list((await ask_each(ask, TPS[3:4], TOPIC)).errors) == TPS[3:4]
