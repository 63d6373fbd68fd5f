"""Topics: their ids and partitions, how they begin anew, and what happens to their oldest records."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from aiokafka.errors import InvalidPartitionsError, OffsetOutOfRangeError, UnknownTopicOrPartitionError

from consumers.kafka.metadata import _Request as MetadataRequest
from consumers.kafka.metadata import describe_topic
from deploy.kafka.topics import admin, create_topic
from deploy.local.waiting import eventually
from tests.simulation.kafka.contract.broker import EARLIEST, LATEST, NOW_MS, Broker, batch_of

OK, OUT_OF_RANGE, UNKNOWN_TOPIC, NOT_LEADER, TOO_LARGE, INVALID_TOPIC = 0, 1, 3, 6, 10, 17
EXISTS, INVALID_PARTITIONS, INVALID_REPLICAS, INVALID_CONFIG = 36, 37, 38, 40
WEEKS_MS = 30 * 86_400_000


async def filled(broker: Broker, topic: str, batches: int = 2) -> TopicPartition:
    """A partition with some batches of three records."""
    tp = TopicPartition(topic, 0)
    for _ in range(batches):
        assert (await broker.append(tp, batch_of([b"a", b"b", b"c"])))[0] == OK
    return tp


async def test_metadata_has_ids(broker: Broker) -> None:
    """Which differ; and partitions, leaders, rights."""
    topic, other = await broker.create_topic(partitions=3), await broker.create_topic()
    described = await describe_topic(broker.client, topic)
    assert (described.partitions, described.with_leader, described.replicas) == (3, (0, 1, 2), 1)
    assert described == await describe_topic(broker.client, topic)
    assert described.topic_id
    assert described.topic_id != (await describe_topic(broker.client, other)).topic_id
    response = (await broker.ask(MetadataRequest(topic))).to_object()
    [node] = response["brokers"]
    assert f"{node['host']}:{node['port']}" == broker.bootstrap
    [raw] = response["topics"]
    assert (raw["error_code"], raw["is_internal"], raw["authorized_operations"]) == (OK, False, 0b110111111000)
    assert {key: raw["partitions"][2][key] for key in ("error_code", "partition", "replicas", "isr")} == {
        "error_code": OK,
        "partition": 2,
        "replicas": [node["node_id"]],
        "isr": [node["node_id"]],
    }


async def test_metadata_of_a_topic_that_is_not_there(broker: Broker) -> None:
    """It has no id, and is not made by asking."""
    for _ in range(2):
        [raw] = (await broker.ask(MetadataRequest("nowhere"))).to_object()["topics"]
        assert (raw["error_code"], raw["topic"], raw["topic_id"]) == (UNKNOWN_TOPIC, "nowhere", bytes(16))
        assert raw["partitions"] == []


async def test_a_topic_that_is_made_anew_is_another_one(broker: Broker) -> None:
    """Meanwhile its partitions are unknown; then it begins at 0, and old offsets are out of range."""
    topic = await broker.create_topic()
    tp = await filled(broker, topic)
    before = (await describe_topic(broker.client, topic)).topic_id
    await broker.delete_topic(topic)
    codes = set()

    async def is_gone() -> bool:
        codes.add((await broker.fetch_one(tp)).code)
        return codes >= {UNKNOWN_TOPIC}

    await eventually(is_gone, "a fetch gives no more")
    assert codes <= {OK, NOT_LEADER, UNKNOWN_TOPIC}
    with pytest.raises(UnknownTopicOrPartitionError):
        await describe_topic(broker.client, topic)
    assert (await broker.append(tp, batch_of([b"a"])))[0] == UNKNOWN_TOPIC
    await create_topic(broker.bootstrap, topic, 1)
    await broker.wait_begun(tp)
    assert (await describe_topic(broker.client, topic)).topic_id != before
    fetched = await broker.fetch_one(tp)
    assert (fetched.code, fetched.highwater, fetched.start, fetched.data) == (OK, 0, 0, b"")
    assert (await broker.fetch_one(tp, 6)).code == OUT_OF_RANGE
    assert (await broker.append(tp, batch_of([b"a"])))[:2] == (OK, 0)


async def test_partitions_are_added(broker: Broker) -> None:
    """They are empty, and the others stay as they are; the topic is the same."""
    topic = await broker.create_topic()
    old, new = await filled(broker, topic), TopicPartition(topic, 2)
    before = (await describe_topic(broker.client, topic)).topic_id
    async with admin(broker.bootstrap) as client:
        response = await client.create_partitions({topic: NewPartitions(3)})
        assert [each[1] for each in response.topic_errors] == [OK]
        with pytest.raises(InvalidPartitionsError):
            await client.create_partitions({topic: NewPartitions(2)})
    await broker.wait_begun(new)
    described = await describe_topic(broker.client, topic)
    assert (described.topic_id, described.partitions) == (before, 3)
    assert (await broker.append(new, batch_of([b"a"])))[:2] == (OK, 0)
    assert (await broker.fetch_one(old)).offsets == [0, 1, 2, 3, 4, 5]


async def test_what_is_not_in_order_about_a_topic_is_refused(broker: Broker) -> None:
    """With a code for each reason."""
    topic = await broker.create_topic()
    wrong = {
        NewTopic(topic, 1, 1): EXISTS,
        NewTopic("fresh", 0, 1): INVALID_PARTITIONS,
        NewTopic("fresh", 1, 9): INVALID_REPLICAS,
        NewTopic("fresh", 1, 1, topic_configs={"no.such": "1"}): INVALID_CONFIG,
        NewTopic("wrong name", 1, 1): INVALID_TOPIC,
    }
    async with admin(broker.bootstrap) as client:
        for new, code in wrong.items():
            response = await client.create_topics([new])
            assert [each[1] for each in response.topic_errors] == [code]
        response = await client.delete_topics(["nowhere"])
        assert response.topic_error_codes == [("nowhere", UNKNOWN_TOPIC)]


async def test_records_are_deleted_before_an_offset(broker: Broker) -> None:
    """Also within a batch, which comes whole still; earlier offsets are out of range."""
    tp = await filled(broker, await broker.create_topic())
    async with admin(broker.bootstrap) as client:
        assert await client.delete_records({tp: RecordsToDelete(1)}) == {tp: 1}
        assert (await broker.fetch_one(tp, 0)).code == OUT_OF_RANGE
        assert await broker.offset(tp, EARLIEST) == (OK, -1, 1)
        fetched = await broker.fetch_one(tp, 1)
        assert (fetched.start, fetched.offsets) == (1, [0, 1, 2, 3, 4, 5])
        assert await client.delete_records({tp: RecordsToDelete(0)}) == {tp: 1}
        with pytest.raises(OffsetOutOfRangeError):
            await client.delete_records({tp: RecordsToDelete(7)})
        assert await client.delete_records({tp: RecordsToDelete(-1)}) == {tp: 6}
    fetched = await broker.fetch_one(tp, 6)
    assert (fetched.code, fetched.highwater, fetched.start, fetched.data) == (OK, 6, 6, b"")
    assert await broker.offset(tp, EARLIEST) == await broker.offset(tp, LATEST) == (OK, -1, 6)
    assert (await broker.append(tp, batch_of([b"a"])))[:2] == (OK, 6)


async def test_offsets_are_found_by_time(broker: Broker) -> None:
    """That of the first record that is not older, though records are in no order of time."""
    tp = TopicPartition(await broker.create_topic(), 0)
    for ms in (10, 30, 20, 40):
        await broker.append(tp, batch_of([b"a", b"b"], timestamp=NOW_MS + ms))
    assert await broker.offset(tp, NOW_MS) == (OK, NOW_MS + 10, 0)
    assert await broker.offset(tp, NOW_MS + 15) == (OK, NOW_MS + 30, 2)
    assert await broker.offset(tp, NOW_MS + 40) == (OK, NOW_MS + 40, 6)
    assert await broker.offset(tp, NOW_MS + 41) == (OK, -1, -1)


async def test_a_setting_is_changed(broker: Broker) -> None:
    """It applies from then on, and can be asked for."""
    topic = await broker.create_topic()
    tp = TopicPartition(topic, 0)
    large = batch_of([b"x" * 2_000])
    assert (await broker.append(tp, large))[0] == OK
    await broker.configure(topic, {"max.message.bytes": "1000"})

    async def is_refused() -> bool:
        return (await broker.append(tp, large))[0] == TOO_LARGE

    await eventually(is_refused, "the new bound applies")
    assert await broker.configs(topic, ["max.message.bytes", "cleanup.policy"]) == {
        "max.message.bytes": "1000",
        "cleanup.policy": "delete",
    }


async def test_retention_takes_whole_batches_from_the_start(broker: Broker) -> None:
    """What is left has its offsets; what is gone is out of range."""
    tp = TopicPartition(await broker.create_topic(), 0)
    for _ in range(2):
        await broker.append(tp, batch_of([b"old", b"old"], timestamp=NOW_MS - WEEKS_MS))
    await broker.append(tp, batch_of([b"new", b"new"]))
    if broker.model:
        broker.model.drop_oldest(tp.topic, 0, before=5)
    await broker.wait_start(tp, 4)
    fetched = await broker.fetch_one(tp, 4)
    assert (fetched.code, fetched.highwater, fetched.start, fetched.offsets) == (OK, 6, 4, [4, 5])
    assert {(await broker.fetch_one(tp, offset)).code for offset in range(4)} == {OUT_OF_RANGE}


async def test_retention_of_all_records_keeps_the_end(broker: Broker) -> None:
    """The next record has the next offset."""
    tp = TopicPartition(await broker.create_topic(), 0)
    await broker.append(tp, batch_of([b"old", b"old"], timestamp=NOW_MS - WEEKS_MS))
    if broker.model:
        broker.model.drop_oldest(tp.topic, 0, before=2)
    await broker.wait_start(tp, 2)
    fetched = await broker.fetch_one(tp, 2)
    assert (fetched.code, fetched.highwater, fetched.start, fetched.data) == (OK, 2, 2, b"")
    assert (await broker.append(tp, batch_of([b"new"])))[:2] == (OK, 2)


async def test_compaction_leaves_holes(broker: Broker) -> None:
    """Of each key the last record stays where it is, and batches keep their first and last offsets."""
    topic = await broker.create_topic(cleanup_policy="compact", segment_ms="60000", min_cleanable_dirty_ratio="0.01")
    tp = TopicPartition(topic, 0)
    old_ms = NOW_MS - WEEKS_MS
    written: list[tuple[bytes, list[bytes | None], int]] = [
        (b"abac", [b"1", b"2", b"3", b"4"], old_ms),
        (b"c", [b"5"], old_ms),
        (b"bd", [None, b"6"], old_ms),
        (b"ca", [b"7", b"8"], old_ms),
        (b"a", [b"9"], NOW_MS),  # so much later that it begins a segment: the last one is never compacted
    ]
    for keys, values, timestamp in written:
        batch = batch_of(values, timestamp=timestamp, keys=[bytes([key]) for key in keys])
        assert (await broker.append(tp, batch))[0] == OK
    if broker.model:
        broker.model.compact(topic, 0)

    async def is_compacted() -> bool:
        return (await broker.fetch_one(tp)).offsets[0] == 5

    await eventually(is_compacted, "records are gone")
    # A real broker's fetch ends with a segment.
    compacted, last = await broker.fetch_one(tp), await broker.fetch_one(tp, 9)
    assert [(each.key, each.value) for each in compacted.records if each.offset < 9] == [
        (b"b", None),
        (b"d", b"6"),
        (b"c", b"7"),
        (b"a", b"8"),
    ]
    assert (compacted.highwater, compacted.start, last.offsets) == (10, 0, [9])
    assert [(each.base_offset, each.next_offset) for each in compacted.batches[:2]] == [(5, 7), (7, 9)]
    assert (await broker.fetch_one(tp, 3)).offsets[0] == 5
    assert await broker.offset(tp, EARLIEST) == (OK, -1, 0)
