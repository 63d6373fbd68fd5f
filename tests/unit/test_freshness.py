"""Watermarks: never later than what was read, and moving all the same."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from consumers.freshness import Freshness, Watermarks

milliseconds = st.integers(0, 5)  # small, so that much happens in the same millisecond


@dataclass(frozen=True)
class Published:
    """A record of the log: when it was published, and the time it says, which is not later."""

    at_ms: int
    timestamp_ms: int


class Partition(RuleBasedStateMachine):
    """One partition as a Kafka client sees it: one fetch at a time, also ahead, and polls that may leave a rest."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000
        self.log: list[Published] = []
        self.buffered = self.handed_out = 0  # how many records of the log have come so far
        self.fetched: int | None = None  # of the fetch under way: how many records of the log it will have brought
        self.response_ms: int | None = None
        self.freshness = Freshness()

    @rule(passes=milliseconds)
    def wait(self, passes: int) -> None:
        self.now_ms += passes

    @rule(age=st.integers(0, 2_000))
    def publish(self, age: int) -> None:
        self.log.append(Published(self.now_ms, max(0, self.now_ms - age)))

    @precondition(lambda self: self.fetched is None)
    @rule(limit=st.integers(1, 4))
    def read_log(self, limit: int) -> None:
        """The broker reads the log for a fetch; its response comes later, if it comes at all."""
        self.fetched = min(len(self.log), self.buffered + limit)

    @precondition(lambda self: self.fetched is not None)
    @rule()
    def lose_response(self) -> None:
        self.fetched = None

    @precondition(lambda self: self.fetched is not None)
    @rule()
    def respond(self) -> None:
        assert self.fetched is not None
        self.buffered, self.fetched, self.response_ms = self.fetched, None, self.now_ms

    @rule(max_records=st.integers(1, 4), others=st.integers(0, 3), responds=st.booleans(), passes=milliseconds)
    def poll(self, max_records: int, others: int, responds: bool, passes: int) -> None:
        """A poll takes some of the buffer, beside records of other partitions; a response may come meanwhile."""
        response_ms = self.response_ms
        self.now_ms += passes
        if responds and self.fetched is not None:
            self.respond()
        space = max(max_records - others, 0)
        records = self.log[self.handed_out : min(self.buffered, self.handed_out + space)]
        self.handed_out += len(records)
        drained = others + len(records) < max_records
        self.freshness.polled(response_ms, bool(records), drained)
        if records:
            self.freshness.applied(records[-1].timestamp_ms, self.now_ms)
        watermark_ms = self.freshness.watermark_ms
        missing = [record for record in self.log[self.handed_out :] if record.at_ms < watermark_ms]
        assert missing == [], f"published before {watermark_ms}, and not read"


PartitionTest = Partition.TestCase
PartitionTest.settings = settings(max_examples=400, stateful_step_count=40)


def test_two_empty_responses_prove_what_was_published_before_the_first() -> None:
    """An idle partition is as fresh as the response before the last one, and gets fresher with every response."""
    freshness = Freshness()
    watermarks_ms = []
    for response_ms in (None, 100, 100, 200, 300):
        freshness.polled(response_ms, has_records=False, drained=True)
        watermarks_ms.append(freshness.watermark_ms)
    assert watermarks_ms == [0, 0, 0, 100, 200]


def test_after_records_the_next_empty_responses_count_again() -> None:
    """A response with records proves nothing about later ones; idleness after it does."""
    freshness = Freshness()
    watermarks_ms = []
    for response_ms, has_records in ((100, True), (200, True), (300, False), (400, False), (500, False)):
        freshness.polled(response_ms, has_records, drained=True)
        watermarks_ms.append(freshness.watermark_ms)
    assert watermarks_ms == [0, 0, 0, 300, 400]


def test_a_partition_that_is_behind_is_as_fresh_as_its_last_record() -> None:
    """Behind, the records' own times move the watermark, never back and never beyond the clock."""
    freshness = Freshness()
    watermarks_ms = []
    for timestamp_ms in (500, 400, 900, 5_000):
        freshness.applied(timestamp_ms, now_ms=1_000)
        watermarks_ms.append(freshness.watermark_ms)
    assert watermarks_ms == [500, 500, 900, 1_000]


def test_watermarks_are_of_each_partition_and_never_later_than_the_last_look_at_the_topic() -> None:
    """A partition that brought nothing is as fresh as its fetch, one behind as its last record, up to the bound."""
    watermarks = Watermarks([0, 1])
    watermarks.polled({0: 1_000, 1: 1_000}, {1: 400}, drained=True, now_ms=2_000)
    watermarks.polled({0: 1_100, 1: 1_100}, {1: 500}, drained=True, now_ms=2_000)
    assert watermarks.values_ms(5_000) == {0: 1_000, 1: 500}
    assert watermarks.values_ms(900) == {0: 900, 1: 500}
