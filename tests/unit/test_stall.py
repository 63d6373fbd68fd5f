"""Stalls: told from idle partitions, from slow ones, and from records that have only just come."""

import pytest

from consumers.kafka.stall import StalledError, StallWatch


def test_a_partition_is_asked_about_after_it_was_quiet_for_the_time_given() -> None:
    """Records, or the last question, begin the time anew; each partition has its own."""
    watch = StallWatch([0, 1], 10.0, now=100.0)
    assert watch.polled({}, 109.9) == []
    assert watch.polled({0: 5}, 110.0) == [1]
    watch.asked(1, position=5, end=5, now=110.0)
    assert watch.polled({}, 119.9) == []
    assert watch.polled({}, 120.0) == [0, 1]


def test_records_that_do_not_come_are_a_stall() -> None:
    """Behind at one question, and as quiet and behind at the next."""
    watch = StallWatch([0], 10.0, now=0.0)
    watch.asked(0, position=5, end=6, now=10.0)
    with pytest.raises(StalledError, match="partition 0 has records up to 7, none came after 5"):
        watch.asked(0, position=5, end=7, now=20.0)


def test_records_that_have_only_just_come_are_no_stall() -> None:
    """A partition that is behind when asked about, and then brings records, begins anew."""
    watch = StallWatch([0], 10.0, now=0.0)
    watch.asked(0, position=5, end=6, now=10.0)
    assert watch.polled({0: 6}, 11.0) == []
    watch.asked(0, position=6, end=7, now=21.0)


def test_an_idle_partition_never_stalls() -> None:
    """Nothing beyond the position, whatever was there before; a log may also end before it."""
    watch = StallWatch([0], 10.0, now=0.0)
    watch.asked(0, position=5, end=6, now=10.0)
    for now, end in ((20.0, 5), (30.0, 4), (40.0, 6)):
        watch.asked(0, position=5, end=end, now=now)


def test_a_partition_that_has_a_leader_and_gives_no_answer_twice_is_a_stall() -> None:
    """Records or an answer in between begin anew, and a partition without a leader never stalls."""
    watch = StallWatch([0, 1], 10.0, now=0.0)
    watch.unanswered(0, has_leader=True, now=10.0)
    assert watch.polled({1: 3}, 10.0) == []
    watch.asked(0, position=5, end=5, now=20.0)
    watch.unanswered(0, has_leader=True, now=30.0)
    watch.polled({0: 6}, 31.0)
    watch.unanswered(0, has_leader=True, now=41.0)
    watch.unanswered(0, has_leader=False, now=51.0)
    watch.unanswered(0, has_leader=False, now=61.0)
    watch.unanswered(0, has_leader=True, now=71.0)
    with pytest.raises(StalledError, match="partition 0 has a leader"):
        watch.unanswered(0, has_leader=True, now=81.0)
