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
    """A record of the log: its key, when it was acknowledged, and the time it says, which is not later."""

    key: int
    at_ms: int
    timestamp_ms: int


@dataclass(frozen=True)
class Fetch:
    """One under way; `end`, `until` and the records in between are of the instant at which the broker reads its log."""

    asked_ms: int
    offset: int
    end: int = -1
    until: int = -1
    records: tuple[int, ...] = ()


class Partition(RuleBasedStateMachine):
    """One partition as a client sees it.

    There is one fetch at a time, there are responses without room, transactions, partial polls, and records that are
    compacted away once a later one of their key is there. The client may start anew at any time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000
        self.log: list[Published] = []
        self.gone: set[int] = set()  # offsets
        self.stable = 0  # where an open transaction begins, or the end
        self.is_open = False
        self.position = self.end = 0
        self.applied: set[int] = set()
        self.begin_anew()

    def begin_anew(self) -> None:
        self.asking = self.position  # where the next fetch begins
        self.buffer: list[int] = []
        self.fetch: Fetch | None = None
        self.caught_up: dict[int, CaughtUp] = {}
        self.watermarks = Watermarks([0], self.now_ms)
        self.lacking = bool(self.gone)  # what the topic's settings say

    @rule(passes=milliseconds)
    def wait(self, passes: int) -> None:
        self.now_ms += passes

    @rule(keys=st.lists(st.integers(0, 2), min_size=1, max_size=4), age=st.sampled_from((0, 0, 1, 1_000)))
    def publish(self, keys: list[int], age: int) -> None:
        for key in keys:
            self.now_ms += 1
            self.log.append(Published(key, self.now_ms, max(0, self.now_ms - age)))
        if not self.is_open:
            self.stable = len(self.log)

    @rule()
    def begin_transaction(self) -> None:
        self.is_open = True

    @rule()
    def end_transaction(self) -> None:
        self.is_open, self.stable = False, len(self.log)

    @rule()
    def compact(self) -> None:
        last = {record.key: offset for offset, record in enumerate(self.log[: self.stable])}
        self.gone |= set(range(self.stable)) - set(last.values())

    @rule()
    def restart(self) -> None:
        """The process that goes on knows the position alone; its watermark is never less than the former one's."""
        self.begin_anew()

    @precondition(lambda self: self.fetch is None and not self.buffer)
    @rule()
    def ask(self) -> None:
        self.fetch = Fetch(self.now_ms, self.asking)

    @precondition(lambda self: self.fetch is not None and self.fetch.end < 0)
    @rule(room=st.integers(0, 4))
    def read_log(self, room: int) -> None:
        """The broker reads the log; other partitions may have used up the room."""
        assert self.fetch is not None
        offset = self.fetch.offset
        there = [at for at in range(offset, self.stable) if at not in self.gone]
        until = there[room] if room < len(there) else max(offset, self.stable)
        until = until if room else offset
        self.fetch = Fetch(self.fetch.asked_ms, offset, len(self.log), until, tuple(there[:room]))

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
        self.buffer, self.asking, self.end = list(self.fetch.records), self.fetch.until, self.fetch.end
        self.fetch = None

    @precondition(lambda self: self.fetch is None and not self.buffer)
    @rule(room=st.integers(1, 2))
    def read(self, room: int) -> None:
        """A fetch and the poll that takes it, at once."""
        self.ask()
        self.read_log(room)
        self.respond()
        self.poll(room, 0)

    @rule(most=st.integers(0, 4), passes=milliseconds)
    def poll(self, most: int, passes: int) -> None:
        """A poll takes some of what has come."""
        records, self.buffer = self.buffer[:most], self.buffer[most:]
        self.now_ms += passes
        before, ends, timestamps_ms = self.position, {}, {}
        if records:
            self.applied |= set(records)
            self.position = records[-1] + 1
            timestamps_ms = {0: self.log[records[-1]].timestamp_ms}
            if self.lacking or self.gone.intersection(range(before, self.position)) - set(records):
                ends, self.lacking = {0: self.end}, False
        if self.caught_up:
            self.position = max(self.position, self.caught_up[0].offset)
        self.watermarks.take_in(self.caught_up, {0: self.position}, timestamps_ms, ends, self.now_ms)
        watermark_ms = self.watermarks.values_ms(self.now_ms)[0]
        for key in range(3):
            of_key = [at for at, record in enumerate(self.log) if record.key == key]
            published = [at for at in of_key if self.log[at].at_ms < watermark_ms]
            assert not published or any(at in self.applied for at in of_key if at >= published[-1]), (
                f"published before {watermark_ms}, and not read: {published[-1]}"
            )


PartitionTest = Partition.TestCase
PartitionTest.settings = settings(max_examples=examples(2), stateful_step_count=60)


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
    for position, timestamp_ms in enumerate((500, 400, 900, 5_000), 1):
        freshness.applied(position, timestamp_ms, now_ms=1_000)
        watermarks_ms.append(freshness.watermark_ms)
    assert watermarks_ms == [500, 500, 900, 1_000]


def test_where_records_are_missing_the_watermark_waits_for_the_end_that_there_was() -> None:
    """What replaces a missing record lies before that; the replacement may be missing by then, and its own be later."""
    freshness = Freshness()
    watermarks_ms = []
    for position, timestamp_ms, end in (
        (10, 100, 0),
        (20, 200, 50),
        (30, 300, 0),
        (40, 400, 70),
        (50, 500, 0),
        (70, 700, 0),
    ):
        freshness.applied(position, timestamp_ms, 1_000, end)
        watermarks_ms.append(freshness.watermark_ms)
    assert watermarks_ms == [100, 100, 100, 100, 100, 700]


def test_watermarks_are_of_each_partition_and_never_later_than_the_last_look_at_the_topic() -> None:
    """A partition that brought nothing is as fresh as its fetch, one behind as its last record, up to the bound."""
    watermarks = Watermarks([0, 1, 2], 1_000)
    caught_up = {0: CaughtUp(1_000, 7), 1: CaughtUp(1_000, 7)}
    watermarks.take_in(caught_up, {0: 7, 1: 6, 2: 3}, {1: 500}, {}, now_ms=2_000)
    assert watermarks.values_ms(5_000) == {0: 1_000, 1: 500, 2: 0}
    assert watermarks.values_ms(900) == {0: 900, 1: 500, 2: 0}


def test_what_was_told_by_a_clock_ahead_is_dropped_when_it_is_set_back() -> None:
    """Watermarks may be later than now then, and later than what was read once now has passed them."""
    watermarks = Watermarks([0], 3_600_000)
    watermarks.take_in({0: CaughtUp(3_600_000, 7)}, {0: 7}, {}, {}, now_ms=3_600_100)
    watermarks.take_in({0: CaughtUp(3_600_000, 7)}, {0: 7}, {}, {}, now_ms=1_000)
    assert watermarks.values_ms(10_000_000) == {0: 0}
    watermarks.take_in({0: CaughtUp(1_000, 7)}, {0: 7}, {}, {}, now_ms=1_100)
    assert watermarks.values_ms(10_000_000) == {0: 1_000}
