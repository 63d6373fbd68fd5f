"""Watermarks: never later than what was read, and moving all the same."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from consumers.ingest.watermarks import Freshness, Watermarks
from consumers.kafka.leadership import CaughtUp
from tests.examples import examples

milliseconds = st.integers(0, 5)  # small, so that much happens in the same millisecond


@dataclass(frozen=True)
class Published:
    """A record of the log: when it was acknowledged, and the time it says, which is not later."""

    at_ms: int
    timestamp_ms: int


@dataclass(frozen=True)
class Fetch:
    """One under way; `end` and `until` are of the instant at which the broker looks at its log."""

    asked_ms: int
    offset: int
    end: int = -1
    until: int = -1


class Partition(RuleBasedStateMachine):
    """One partition as a client sees it: one fetch at a time, responses without room, transactions, partial polls."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000
        self.log: list[Published] = []
        self.stable = 0  # where an open transaction begins, or the end
        self.is_open = False
        self.position = self.buffered = 0  # how many records were handed out, and how many have come
        self.fetch: Fetch | None = None
        self.caught_up: dict[int, CaughtUp] = {}
        self.watermarks = Watermarks([0], self.now_ms)

    @rule(passes=milliseconds)
    def wait(self, passes: int) -> None:
        self.now_ms += passes

    @rule(age=st.integers(0, 2_000))
    def publish(self, age: int) -> None:
        self.log.append(Published(self.now_ms, max(0, self.now_ms - age)))
        if not self.is_open:
            self.stable = len(self.log)

    @rule()
    def begin_transaction(self) -> None:
        self.is_open = True

    @rule()
    def end_transaction(self) -> None:
        self.is_open, self.stable = False, len(self.log)

    @precondition(lambda self: self.fetch is None and self.position == self.buffered)
    @rule()
    def ask(self) -> None:
        self.fetch = Fetch(self.now_ms, self.position)

    @precondition(lambda self: self.fetch is not None and self.fetch.end < 0)
    @rule(room=st.integers(0, 4))
    def read_log(self, room: int) -> None:
        """The broker reads the log; other partitions may have used up the room."""
        assert self.fetch is not None
        until = max(self.fetch.offset, min(self.stable, self.fetch.offset + room))
        self.fetch = Fetch(self.fetch.asked_ms, self.fetch.offset, len(self.log), until)

    @precondition(lambda self: self.fetch is not None)
    @rule()
    def lose_response(self) -> None:
        self.fetch = None

    @precondition(lambda self: self.fetch is not None and self.fetch.end >= 0)
    @rule()
    def respond(self) -> None:
        assert self.fetch is not None
        if self.fetch.until == self.fetch.offset >= self.fetch.end:
            self.caught_up[0] = CaughtUp(self.fetch.asked_ms, self.fetch.offset)
        self.buffered, self.fetch = self.fetch.until, None

    @rule(most=st.integers(0, 4), passes=milliseconds)
    def poll(self, most: int, passes: int) -> None:
        """A poll takes some of what has come."""
        records = self.log[self.position : min(self.buffered, self.position + most)]
        self.position += len(records)
        self.now_ms += passes
        timestamps_ms = {0: records[-1].timestamp_ms} if records else {}
        self.watermarks.take_in(self.caught_up, {0: self.position}, timestamps_ms, self.now_ms)
        watermark_ms = self.watermarks.values_ms(self.now_ms)[0]
        missing = [record for record in self.log[self.position :] if record.at_ms < watermark_ms]
        assert missing == [], f"published before {watermark_ms}, and not read"


PartitionTest = Partition.TestCase
PartitionTest.settings = settings(max_examples=examples(2), stateful_step_count=40)


def test_an_empty_fetch_proves_what_was_published_before_it_was_sent() -> None:
    """Once all before its offset has been taken in; before that, or from a clock ahead of ours, it proves nothing."""
    freshness = Freshness()
    freshness.caught_up(CaughtUp(100, 5), position=4, now_ms=200)
    assert freshness.watermark_ms == 0
    freshness.caught_up(CaughtUp(100, 5), position=5, now_ms=200)
    assert freshness.watermark_ms == 100
    freshness.caught_up(CaughtUp(300, 5), position=5, now_ms=200)
    assert freshness.watermark_ms == 100


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
    watermarks = Watermarks([0, 1, 2], 1_000)
    caught_up = {0: CaughtUp(1_000, 7), 1: CaughtUp(1_000, 7)}
    watermarks.take_in(caught_up, {0: 7, 1: 6, 2: 3}, {1: 500}, now_ms=2_000)
    assert watermarks.values_ms(5_000) == {0: 1_000, 1: 500, 2: 0}
    assert watermarks.values_ms(900) == {0: 900, 1: 500, 2: 0}


def test_what_was_told_by_a_clock_ahead_is_dropped_when_it_is_set_back() -> None:
    """Watermarks may be later than now then, and later than what was read once now has passed them."""
    watermarks = Watermarks([0], 3_600_000)
    watermarks.take_in({0: CaughtUp(3_600_000, 7)}, {0: 7}, {}, now_ms=3_600_100)
    watermarks.take_in({0: CaughtUp(3_600_000, 7)}, {0: 7}, {}, now_ms=1_000)
    assert watermarks.values_ms(10_000_000) == {0: 0}
    watermarks.take_in({0: CaughtUp(1_000, 7)}, {0: 7}, {}, now_ms=1_100)
    assert watermarks.values_ms(10_000_000) == {0: 1_000}
